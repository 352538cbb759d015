"""What a model costs, counted."""

import pytest
import timm
import torch
from torch import nn

from raymed.models import MedicalViTAdapter, describe_model


@pytest.mark.parametrize(
    ("model", "gmacs", "tolerance"),
    # 1.81: the figure that ResNet's authors and torchvision give for 224 px
    [("resnet18", 1.81, 0.01), ("hybrid", 2.47, 0.02)],
)
def test_multiply_adds_are_those_that_are_known(model: str, gmacs: float, tolerance: float) -> None:
    built = MedicalViTAdapter() if model == "hybrid" else timm.create_model(model)
    assert describe_model(built, 224).gmacs == pytest.approx(gmacs, rel=tolerance)


def test_a_convolution_and_a_linear_layer_cost_what_the_formula_says() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Flatten(), nn.Linear(5 * 64, 7))
    cost = describe_model(model, 8)
    # 8 * 8 places, each 3 * 3 * 3 * 5; then 5 * 64 * 7
    assert cost.gmacs * 1e9 == 64 * 27 * 5 + 320 * 7
    assert cost.parameters == cost.trainable == 5 * 27 + 5 + 320 * 7 + 7
    # kept for backward: the image, which no parameter made, and the linear layer's input
    assert cost.activation_bytes == 4 * (3 * 64 + 5 * 64)


def test_what_is_frozen_is_not_trainable_and_keeps_less() -> None:
    model = nn.Sequential(nn.Conv2d(3, 5, 3, padding=1), nn.Flatten(), nn.Linear(5 * 64, 7))
    model[0].requires_grad_(False)
    cost = describe_model(model, 8)
    assert cost.trainable == 320 * 7 + 7
    assert cost.activation_bytes == 4 * 5 * 64


def test_describing_leaves_the_model_as_it_was() -> None:
    model = timm.create_model("test_resnet")
    model.layer1.eval().requires_grad_(False)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    flags = [p.requires_grad for p in model.parameters()]
    modes = [module.training for module in model.modules()]
    describe_model(model, 32)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert [p.requires_grad for p in model.parameters()] == flags
    assert [module.training for module in model.modules()] == modes
    assert all(p.grad is None for p in model.parameters())
