"""New heads start at zero: the first loss is the logarithm of the number of classes."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy

from raymed.config import Recipe
from raymed.models import build_classifier

FAMILIES = [
    "test_resnet",
    "resnet18",
    "efficientnet_lite0",
    "mobilenetv3_small_050",
    "mobilenetv2_035",
    "regnetx_002",
    "ghostnet_050",
    "lcnet_035",
    "repvgg_a0",
    "dla46x_c",
    "convnext_atto",
    "convnextv2_atto",
    "vit_tiny_patch16_224",
    "deit_tiny_distilled_patch16_224",
    "swin_tiny_patch4_window7_224",
    "pit_ti_224",
    "poolformerv2_s12",
    "mobilevit_xxs",
    "fastvit_t8",
    "test_nfnet",
]


@pytest.mark.parametrize("name", FAMILIES)
def test_the_first_loss_is_that_of_guessing_among_all_classes(name: str) -> None:
    torch.manual_seed(0)
    classes = 5
    recipe = Recipe(model=name, pretrained="none", size=64, dropout=0.5)
    model = build_classifier(recipe, classes).train()
    images, labels = torch.rand(4, 1, 64, 64), torch.tensor([0, 1, 2, 4])

    loss = cross_entropy(model(images), labels)
    loss.backward()

    assert loss.item() == pytest.approx(math.log(classes), rel=0.05)
    assert model.head.weight.grad is not None
    assert model.head.weight.grad.abs().max() > 0  # at zero, but not stuck there
