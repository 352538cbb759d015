"""Layer groups: every parameter once, the stem first, the head last."""

import logging

import pytest
import timm
import torch
from torch import nn

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
    "pit_ti_224": "backbone.patch_embed.conv.weight",
}


def numbered(pattern: str, count: int) -> list[str]:
    return [pattern.format(number) for number in range(count)]


# A group is written as the beginnings of its parameters' names.
EXPECTED = {
    "resnet18": ["conv1 bn1", *(f"layer{n}.{m}" for n in (1, 2, 3, 4) for m in (0, 1)), "fc"],
    "efficientnet_b0": [
        "conv_stem bn1",
        *(f"blocks.{n}.{m}" for n, depth in enumerate((1, 2, 2, 3, 3, 4)) for m in range(depth)),
        "blocks.6.0 conv_head bn2",
        "classifier",
    ],
    "vit_tiny_patch16_224": [
        "cls_token pos_embed patch_embed",
        *numbered("blocks.{}", 11),
        "blocks.11 norm",
        "head",
    ],
    "swin_tiny_patch4_window7_224": [
        "patch_embed",
        *numbered("layers.0.blocks.{}", 2),
        *("layers.1.downsample layers.1.blocks.0", "layers.1.blocks.1"),
        *("layers.2.downsample layers.2.blocks.0", *numbered("layers.2.blocks.{}", 6)[1:]),
        *("layers.3.downsample layers.3.blocks.0", "layers.3.blocks.1 norm"),
        "head",
    ],
    "convnext_atto": [
        "stem",
        *numbered("stages.0.blocks.{}", 2),
        *("stages.1.downsample stages.1.blocks.0", "stages.1.blocks.1"),
        *("stages.2.downsample stages.2.blocks.0", *numbered("stages.2.blocks.{}", 6)[1:]),
        *("stages.3.downsample stages.3.blocks.0", "stages.3.blocks.1"),
        "head.norm",
        "head.fc",
    ],
    # without groups of timm's, by depth
    "pit_ti_224": [
        "pos_embed cls_token patch_embed",
        *numbered("transformers.0.blocks.{}", 2),
        *("transformers.1.pool", *numbered("transformers.1.blocks.{}", 6)),
        *("transformers.2.pool", *numbered("transformers.2.blocks.{}", 3)),
        "transformers.2.blocks.3 norm",
        "head",
    ],
    # timm puts the last two of these groups among those of the last blocks
    "cait_xxs24_224": [
        "cls_token pos_embed patch_embed",
        *numbered("blocks.{}", 24),
        *("blocks_token_only.0", "blocks_token_only.1 norm"),
        "head",
    ],
}


def on_no_device(name: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = timm.create_model(name, num_classes=3, **options)
    return model


def spelled_out(model: nn.Module, group: str) -> list[str]:
    names = [name for name, _ in model.named_parameters()]
    parts = group.split()
    return sorted(n for n in names if n in parts or n.startswith(tuple(f"{p}." for p in parts)))


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


def test_a_classifier_and_its_timm_model_have_the_same_body(model: tuple[str, Classifier]) -> None:
    name, classifier = model
    plain = layer_groups(on_no_device(name))
    inside = [[f"backbone.{parameter}" for parameter in group] for group in plain[:-1]]
    assert layer_groups(classifier)[:-1] == inside


@pytest.mark.parametrize("name", EXPECTED)
def test_groups_of_a_family_are_these(name: str) -> None:
    model = on_no_device(name)
    groups = [sorted(group) for group in layer_groups(model)]
    assert groups == [spelled_out(model, group) for group in EXPECTED[name]]


@pytest.mark.parametrize(
    ("name", "part"),
    [("vit_base_patch16_rope_mixed_224", "rope."), ("vit_srelpos_small_patch16_224", "shared_rel")],
)
def test_positions_that_all_blocks_share_are_in_the_stem(name: str, part: str) -> None:
    groups = layer_groups(on_no_device(name))
    assert [any(n.startswith(part) for n in group) for group in groups].index(True) == 0
    assert not any(n.startswith(part) for group in groups[1:] for n in group)


@pytest.mark.parametrize("name", ["deit_tiny_distilled_patch16_224", "volo_d1_224"])
def test_a_second_classifier_is_in_the_last_group_too(name: str) -> None:
    second = {"deit_tiny_distilled_patch16_224": "head_dist", "volo_d1_224": "aux_head"}[name]
    last = {f"{place}.{part}" for place in ("head", second) for part in ("weight", "bias")}
    assert set(layer_groups(on_no_device(name))[-1]) == last


def test_a_model_of_ones_own_is_grouped_by_its_blocks_and_says_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.norm, self.mlp = nn.LayerNorm(4), nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))

    class Own(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
            self.stages = nn.ModuleList([nn.Sequential(Block(), Block()), nn.Sequential(Block())])
            self.norm = nn.LayerNorm(4)
            self.head = nn.Sequential(nn.Dropout(), nn.Linear(4, 2))
            self.token = nn.Parameter(torch.zeros(1, 4))

    own = Own()
    own.stem.requires_grad_(False)  # a frozen layer keeps its place
    with caplog.at_level(logging.WARNING):
        groups = layer_groups(own)
    expected = ["token stem", "stages.0.0", "stages.0.1", "stages.1.0 norm", "head.1"]
    assert [sorted(group) for group in groups] == [spelled_out(own, group) for group in expected]
    assert "Own names no layer groups: its blocks are taken to run in the order" in caplog.text


def test_timm_models_without_groups_are_grouped_quietly(caplog: pytest.LogCaptureFixture) -> None:
    layer_groups(on_no_device("pit_ti_224"))
    assert caplog.text == ""


def test_a_tied_parameter_belongs_to_its_first_place() -> None:
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4))
    model[2].weight = model[0].weight
    groups = layer_groups(model)
    assert groups == [["0.weight", "0.bias"], ["1.weight", "1.bias", "2.bias"]]

    coat = on_no_device("coat_lite_tiny")  # its blocks share their position encodings
    listed = [name for group in layer_groups(coat) for name in group]
    assert sorted(listed) == sorted(name for name, _ in coat.named_parameters())


class Grouped(nn.Module):
    """Says its groups itself, the last registered first."""

    def __init__(self, groups: list[list[str]]) -> None:
        super().__init__()
        self.late, self.early = nn.Linear(4, 5), nn.Linear(3, 4)
        self.groups = groups

    def layer_groups(self) -> list[list[str]]:
        return self.groups

    def group_matcher(self, coarse: bool = False) -> dict[str, str]:
        raise AssertionError("its own groups come first")

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = self.late(self.early(images.mean((2, 3))))
        return features


def test_a_backbone_says_its_own_groups() -> None:
    own = [["early.weight", "early.bias"], ["late.weight", "late.bias"]]
    groups = layer_groups(Classifier(Grouped(own), classes=2, size=16))
    inside = [[f"backbone.{name}" for name in group] for group in own]
    assert groups == [*inside, ["head.weight", "head.bias"]]
    assert layer_groups(Grouped(own)) == own


@pytest.mark.parametrize(
    ("own", "fault"),
    [
        ([["early.weight", "early.bias", "late.weight"]], "forget late.bias"),
        ([["early.weight", "early.bias", "late.weight", "late.bias", "x"]], "no parameter.*: x"),
        ([["early.weight"], ["early.weight", "early.bias", "late.weight", "late.bias"]], "twice"),
    ],
)
def test_groups_that_do_not_hold_each_parameter_once_are_refused(
    own: list[list[str]], fault: str
) -> None:
    with pytest.raises(InputError, match=rf"model: Grouped's layer groups .*{fault}.*mend"):
        layer_groups(Grouped(own))


def test_a_model_without_parameters_is_refused() -> None:
    with pytest.raises(InputError, match="model: ReLU has no parameters, so no layer groups"):
        layer_groups(nn.ReLU())
