"""Layer groups: every parameter once, the stem first, the head last."""

import pytest
import timm
import torch

from raymed.config import Recipe
from raymed.errors import InputError
from raymed.models import Classifier, build_classifier, layer_groups

STEMS = {
    "test_resnet": "backbone.conv1.0.weight",
    "test_convnext": "backbone.stem.0.weight",
    "resnet18": "backbone.conv1.weight",
    "mobilenetv2_100": "backbone.conv_stem.weight",
    "convnext_atto": "backbone.stem.0.weight",
    "vit_tiny_patch16_224": "backbone.patch_embed.proj.weight",
}


@pytest.fixture(params=STEMS)
def model(request: pytest.FixtureRequest) -> tuple[str, Classifier]:
    name: str = request.param
    return name, build_classifier(Recipe(model=name, pretrained="none", size=64), 3)


def test_groups_hold_every_parameter_once_from_stem_to_head(model: tuple[str, Classifier]) -> None:
    name, classifier = model
    groups = layer_groups(classifier)
    listed = [parameter for group in groups for parameter in group]
    assert sorted(listed) == sorted(name for name, _ in classifier.named_parameters())
    assert STEMS[name] in groups[0]
    assert groups[-1] == ["head.weight", "head.bias"]
    assert len(groups) > 4
    assert all(groups)


def test_blocks_come_in_the_order_that_they_run_in() -> None:
    model = build_classifier(Recipe(model="vit_tiny_patch16_224", pretrained="none", size=64), 3)
    groups = layer_groups(model)
    blocks = [i for i, group in enumerate(groups) if any(".blocks." in name for name in group)]
    numbers = [{name.split(".")[2] for name in groups[i] if ".blocks." in name} for i in blocks]
    assert numbers == [{str(number)} for number in range(12)]


def test_a_model_without_groups_is_refused_with_a_way_out() -> None:
    model = build_classifier(Recipe(model="pit_ti_224", pretrained="none", size=64), 3)
    with pytest.raises(
        InputError, match=r"PoolingVisionTransformer names no layer groups; set ratio"
    ):
        layer_groups(model)
    assert not hasattr(model.backbone, "group_matcher")
    assert timm.is_model("pit_ti_224")
    assert model(torch.rand(1, 1, 64, 64)).shape == (1, 3)
