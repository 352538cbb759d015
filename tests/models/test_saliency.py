"""Saliency maps: of every family, where the model looks, and no further."""

from typing import Any

import numpy as np
import pytest
import timm
import torch
from captum.attr import LayerGradCam
from torch import nn
from torch.nn import functional

from raymed.config import Recipe
from raymed.models import Classifier, build_classifier
from raymed.models.saliency import NoMapError, saliency_maps

CLASSES = torch.tensor([0, 2, 1])
SWIN = {"img_size": 64, "window_size": 4, "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 2)}
FAMILIES = [
    "resnet10t",
    "test_resnet",
    "test_convnext",
    "test_efficientnet",
    "test_nfnet",
    "test_mambaout",  # channels last
    "test_vit",  # a class token
    "test_vit3",  # pooled by attention, registers
    "test_vit_relpos",  # pooled by a mean
    "hybrid/test_resnet",
    "hybrid/test_convnext",
    "swin",
]


def build(model: str, size: int = 64) -> Classifier:
    torch.manual_seed(0)
    if model == "swin":
        backbone = timm.create_model("swin_tiny_patch4_window7_224", num_classes=0, **SWIN)
        return with_random_head(Classifier(backbone, 3, size))
    fields: dict[str, Any] = {"model": model, "pretrained": "none", "size": size}
    if model.startswith("hybrid/"):
        fields["hybrid"] = {"embedding_dim": 16, "heads": 2, "layers": 1}
    classifier = build_classifier(Recipe(**fields), 3)
    if model.startswith("hybrid/"):
        nn.init.ones_(classifier.backbone.encoder.gate)  # open: places read each other
    return with_random_head(classifier)


def with_random_head(model: Classifier, seed: int = 1) -> Classifier:
    generator = torch.Generator().manual_seed(seed)
    nn.init.normal_(model.head.weight, generator=generator)
    return model.eval()


def images(channels: int = 1, size: int = 64) -> torch.Tensor:
    return torch.rand(3, channels, size, size, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("channels", [1, 3])
def test_every_family_gives_a_map_an_image_grey_or_in_colour(model: str, channels: int) -> None:
    maps = saliency_maps(build(model), images(channels), CLASSES)

    side = maps.shape[1]
    assert maps.shape == (3, side, side)
    assert side > 1
    assert maps.dtype == np.float32
    assert maps.min() >= 0
    assert maps.max() <= 1
    assert 1 in maps.max(axis=(1, 2))  # not all of them are empty


@pytest.mark.parametrize("model", FAMILIES)
def test_head_after_features_is_the_model(model: str) -> None:
    classifier = build(model)
    backbone, normal = classifier.backbone, classifier.normalised(images())

    parts = classifier.classify(backbone.forward_head(backbone.forward_features(normal)))

    assert torch.equal(parts, classifier(images()))


@pytest.mark.parametrize(
    ("model", "layer"),
    [("test_resnet", "layer4"), ("test_efficientnet", "bn2"), ("hybrid/test_resnet", "encoder")],
)
def test_where_a_mean_follows_the_map_it_is_grad_cam(model: str, layer: str) -> None:
    classifier = build(model, 128)  # a map of 4 x 4
    oracle = LayerGradCam(classifier, classifier.backbone.get_submodule(layer))
    expected = oracle.attribute(images(size=128), target=CLASSES, relu_attributions=True)
    expected = expected / expected.amax((2, 3), keepdim=True).clamp(min=1e-12)

    maps = saliency_maps(classifier, images(size=128), CLASSES)

    np.testing.assert_allclose(maps, expected[:, 0].detach().numpy(), atol=1e-5)


class Quadrant(nn.Module):
    """A backbone that sees everything, and pools the upper left quadrant alone."""

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        return functional.avg_pool2d(images.abs() + 1, 8)

    def forward_head(self, found: torch.Tensor) -> torch.Tensor:
        return found[:, :, : found.shape[2] // 2, : found.shape[3] // 2].mean((2, 3))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.forward_head(self.forward_features(images))


def test_a_model_that_takes_one_quadrant_has_its_map_there() -> None:
    """Grad-CAM itself fails here: its mean gradient colours what the model leaves alone."""
    model = Classifier(Quadrant(), 3, 64).eval()
    nn.init.ones_(model.head.weight)

    maps = saliency_maps(model, images(), CLASSES)

    assert (maps[:, :4, :4] > 0).all()  # of 8 x 8 places
    assert maps.sum() == maps[:, :4, :4].sum()


@pytest.mark.parametrize("model", ["test_resnet", "test_vit", "hybrid/test_resnet"])
def test_another_head_on_the_same_features_gives_another_map(model: str) -> None:
    """The sanity check of Adebayo et al. 2018, arXiv 1810.03292: a map must depend on the model."""
    classifier = build(model, 128)
    before = saliency_maps(classifier, images(size=128), CLASSES)
    after = saliency_maps(with_random_head(classifier, seed=9), images(size=128), CLASSES)

    assert np.corrcoef(before.ravel(), after.ravel())[0, 1] < 0.9


def test_a_head_that_knows_nothing_shows_nothing() -> None:
    model = build("test_resnet")
    nn.init.zeros_(model.head.weight)

    assert (saliency_maps(model, images(), CLASSES) == 0).all()


def test_looking_leaves_the_model_as_it_was() -> None:
    model = build("test_resnet").train()
    model.backbone.layer1.eval()
    model.backbone.conv1.requires_grad_(False)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    flags = [parameter.requires_grad for parameter in model.parameters()]

    saliency_maps(model, images(), CLASSES)

    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert all(parameter.grad is None for parameter in model.parameters())
    assert all(torch.equal(weights[name], value) for name, value in model.state_dict().items())


def test_a_frozen_model_can_be_looked_through() -> None:
    model = build("test_resnet")
    expected = saliency_maps(model, images(), CLASSES)
    np.testing.assert_array_equal(
        saliency_maps(model.requires_grad_(False), images(), CLASSES), expected
    )


class Pooled(Quadrant):
    """A backbone whose features have no places."""

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))

    def forward_head(self, found: torch.Tensor) -> torch.Tensor:
        return found


class ClassTokenAlone(Quadrant):
    """A backbone that reads a class token, and has no blocks that raymed knows."""

    global_pool = "token"


@pytest.mark.parametrize(
    ("backbone", "fault"),
    [
        (Pooled(), r"Pooled gives features of shape \(3, 3\): there is no map"),
        (ClassTokenAlone(), "ClassTokenAlone gives a class token alone: there is no map"),
    ],
)
def test_a_model_without_places_is_refused(backbone: nn.Module, fault: str) -> None:
    with pytest.raises(NoMapError, match=fault):
        saliency_maps(Classifier(backbone, 3, 64), images(), CLASSES)
