"""A recipe's model: its head, its normalisation, its sizes, its name."""

import math
from typing import Any
from unittest.mock import patch

import pytest
import timm
import torch
from torch import nn

from raymed.config import Recipe
from raymed.errors import InputError
from raymed.losses import cross_entropy
from raymed.models import Classifier, build_classifier

FAMILIES = ["test_resnet", "test_vit", "test_convnext", "test_efficientnet"]


def build(model: str = "test_resnet", classes: int = 4, **fields: Any) -> Classifier:
    torch.manual_seed(0)
    return build_classifier(
        Recipe(model=model, pretrained="none", **{"size": 32, **fields}), classes
    )


@pytest.mark.parametrize("model", FAMILIES)
@pytest.mark.parametrize("classes", [2, 7])
def test_the_first_loss_is_that_of_knowing_nothing(model: str, classes: int) -> None:
    images, labels = torch.rand(classes * 2, 1, 32, 32), torch.arange(classes * 2) % classes
    loss = cross_entropy(build(model, classes)(images), labels)
    assert loss.item() == pytest.approx(math.log(classes), rel=0.05)


def with_random_head(model: Classifier) -> Classifier:
    nn.init.normal_(model.head.weight)
    return model.eval()


@pytest.mark.parametrize("model", FAMILIES)
def test_grey_equals_the_same_image_repeated_to_colour(model: str) -> None:
    classifier, grey = with_random_head(build(model)), torch.rand(2, 1, 32, 32)
    assert torch.equal(classifier(grey), classifier(grey.repeat(1, 3, 1, 1)))


@pytest.mark.parametrize(
    ("model", "mean", "std"),
    [
        ("test_efficientnet", (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),  # ImageNet's
        ("tf_efficientnet_lite0", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ("test_vit", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
    ],
)
def test_the_normalisation_is_the_models_own(
    model: str, mean: tuple[float, ...], std: tuple[float, ...]
) -> None:
    classifier, images = build(model).eval(), torch.rand(2, 3, 32, 32)
    by_hand = (images - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    torch.testing.assert_close(classifier.features(images), classifier.backbone(by_hand))
    assert not torch.allclose(classifier.features(images), classifier.backbone(images))


def test_the_normalisation_is_no_part_of_the_checkpoint() -> None:
    assert {name.split(".")[0] for name in build().state_dict()} == {"backbone", "head"}


def test_dropout_falls_on_the_pooled_features_and_only_in_training() -> None:
    model, features = with_random_head(build(dropout=0.5)), torch.ones(1, 96)
    assert torch.equal(model.classify(features), model.head(features))
    model.train()
    assert not torch.equal(model.classify(features), model.head(features))
    assert build().dropout.p == 0


def test_the_same_seed_builds_the_same_weights() -> None:
    first, second = build("test_vit").state_dict(), build("test_vit").state_dict()
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_the_backbone_does_not_depend_on_the_number_of_classes() -> None:
    """The feature cache builds a model of two classes and serves all of them."""
    two, nine = build(classes=2).backbone.state_dict(), build(classes=9).backbone.state_dict()
    assert all(torch.equal(two[name], nine[name]) for name in two)


def test_a_typo_in_the_models_name_suggests_the_right_one() -> None:
    with pytest.raises(
        InputError, match=r"model: timm knows no 'resnett18'; did you mean 'resnet18'"
    ):
        build("resnett18")


def test_a_name_like_no_other_points_to_the_list() -> None:
    with pytest.raises(InputError, match=r"no 'zzzzqqqq'; see timm.list_models\(\)"):
        build("zzzzqqqq")


@pytest.mark.parametrize("size", [32, 48, 160])
def test_a_vision_transformer_is_built_for_the_recipes_size(size: int) -> None:
    model = build("test_vit", size=size)
    assert model.backbone.pos_embed.shape[1] == 1 + (size // 16) ** 2  # 16 px patches, one token
    assert model(torch.rand(2, 1, size, size)).shape == (2, 4)


@pytest.mark.parametrize(
    ("model", "size"),
    [("test_vit", 20), ("test_coatnet", 40)],  # not a multiple of the patch; of the window
)
def test_a_size_that_the_model_cannot_take_is_refused(model: str, size: int) -> None:
    with pytest.raises(InputError, match=f"size: the model cannot take {size} px .*; try the size"):
        build(model, size=size)


class Mute(nn.Module):
    """A backbone that fails without a word, as a bare `assert` does."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        raise AssertionError


class Map(nn.Module):
    """A backbone that gives a feature map."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images


def test_a_size_refused_without_a_word_is_refused_all_the_same() -> None:
    with pytest.raises(InputError, match=r"cannot take 32 px \(AssertionError\(\)\)"):
        Classifier(Mute(), 2, 32)


def test_a_backbone_that_gives_no_vector_is_refused() -> None:
    with pytest.raises(InputError, match=r"features of shape \(1, 3, 32, 32\), not a vector"):
        Classifier(Map(), 2, 32)


def test_finding_the_width_leaves_batchnorm_and_mode_alone() -> None:
    backbone = timm.create_model("test_resnet", num_classes=0)
    before = {name: value.clone() for name, value in backbone.state_dict().items()}
    assert Classifier(backbone, 2, 32).backbone.training
    assert all(torch.equal(before[name], value) for name, value in backbone.state_dict().items())


def test_hub_weights_without_a_network_say_what_to_do() -> None:
    offline = OSError("We couldn't connect to 'https://huggingface.co'\nsecond line")
    with (
        patch.object(timm, "create_model", side_effect=offline),
        pytest.raises(InputError, match="hub weights of test_resnet cannot be had") as caught,
    ):
        build_classifier(Recipe(model="test_resnet", size=32), 2)
    assert "file: PATH" in caught.value.remedy
    assert "couldn't connect" in caught.value.fault
    assert "second line" not in str(caught.value)


def test_a_model_that_has_no_hub_weights_says_what_to_do() -> None:
    with pytest.raises(InputError, match=r"hub weights of lcnet_035 cannot be had .*; without"):
        build_classifier(Recipe(model="lcnet_035", size=32), 2)


def test_a_checkpoints_model_needs_no_hub() -> None:
    with patch.object(timm, "create_model", wraps=timm.create_model) as create:
        build_classifier(Recipe(model="test_resnet", size=32), 2, pretrained=False)
    assert [call.kwargs["pretrained"] for call in create.call_args_list] == [False]
