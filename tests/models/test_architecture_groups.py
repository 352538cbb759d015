"""Five groups for five learning rates, early to classifier."""

import pytest
import timm
import torch
import torchvision
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raymed.config import Recipe
from raymed.errors import InputError
from raymed.models import ArchitectureLayerGroups, build_classifier
from raymed.models.architecture_groups import _dealt

# A group is written as the beginnings of its parameters' names.
# efficientnet_b0 has seven stages of 1, 2, 2, 3, 3, 4 and 1 blocks: sixteen, so four a part.
FIVE = {
    "resnet18": ["conv1 bn1 layer1", "layer2", "layer3", "layer4", "fc"],
    "convnext_atto": [
        "stem stages.0",
        "stages.1",
        "stages.2",
        "stages.3 head.norm",
        "head.fc",
    ],
    "swin_tiny_patch4_window7_224": [
        "patch_embed layers.0",
        "layers.1",
        "layers.2",
        "layers.3 norm",
        "head",
    ],
    "caformer_s18": ["stem stages.0", "stages.1", "stages.2", "stages.3 head.norm", "head.fc"],
    "densenet121": [
        "features.conv0 features.norm0 features.denseblock1 features.transition1",
        "features.denseblock2 features.transition2",
        "features.denseblock3 features.transition3",
        "features.denseblock4 features.norm5",
        "classifier",
    ],
    "efficientnet_b0": [
        "conv_stem bn1 blocks.0 blocks.1 blocks.2.0",
        "blocks.2.1 blocks.3",
        "blocks.4 blocks.5.0",
        "blocks.5.1 blocks.5.2 blocks.5.3 blocks.6 conv_head bn2",
        "classifier",
    ],
    "vit_tiny_patch16_224": [
        "cls_token pos_embed patch_embed blocks.0 blocks.1 blocks.2",
        "blocks.3 blocks.4 blocks.5",
        "blocks.6 blocks.7 blocks.8",
        "blocks.9 blocks.10 blocks.11 norm",
        "head",
    ],
    "crossvit_9_240": [
        "pos_embed_0 pos_embed_1 cls_token_0 cls_token_1 patch_embed",
        "blocks.0",
        "blocks.1",
        "blocks.2 norm",
        "head",
    ],
}


def on_no_device(name: str, **options: object) -> nn.Module:
    with torch.device("meta"):
        model: nn.Module = timm.create_model(name, **options)
    return model


def names_of(model: nn.Module, groups: list[list[nn.Parameter]]) -> list[set[str]]:
    names = {id(value): name for name, value in model.named_parameters()}
    return [{names[id(value)] for value in group} for group in groups]


def spelled_out(model: nn.Module, groups: list[str]) -> list[set[str]]:
    listed = [name for name, _ in model.named_parameters()]
    parts = [group.split() for group in groups]
    return [{n for n in listed if any(f"{n}.".startswith(f"{p}.") for p in own)} for own in parts]


@pytest.mark.parametrize("name", FIVE)
def test_stages_or_equal_lengths_of_blocks_make_the_five_groups(name: str) -> None:
    model = on_no_device(name)
    groups = ArchitectureLayerGroups.get_layer_groups(model, name)
    assert names_of(model, groups) == spelled_out(model, FIVE[name])
    assert sum(map(len, groups)) == len(list(model.parameters()))


def test_an_optimizer_takes_the_groups_with_a_rate_each() -> None:
    model = timm.create_model("test_resnet", num_classes=3)
    groups = ArchitectureLayerGroups.get_layer_groups(model, "test_resnet.r160_in1k")
    rates = [1e-6, 1e-5, 5e-5, 1e-4, 1e-3]
    optimizer = torch.optim.AdamW(
        [{"params": group, "lr": lr} for group, lr in zip(groups, rates, strict=True)]
    )
    before = [[value.detach().clone() for value in group] for group in groups]
    model(torch.rand(2, 3, 32, 32)).sum().backward()
    optimizer.step()
    for group, old, lr in zip(groups, before, rates, strict=True):
        moved = max(float((a.detach() - b).abs().max()) for a, b in zip(group, old, strict=True))
        # AdamW's first step moves by lr, and by lr * weight decay (0.01) of the value
        assert moved == pytest.approx(lr, rel=0.1)


def test_a_classifier_of_ours_has_its_head_alone_in_the_last_group() -> None:
    model = build_classifier(Recipe(model="test_convnext", pretrained="none", size=64), 3)
    groups = names_of(model, ArchitectureLayerGroups.get_layer_groups(model, "test_convnext"))
    assert groups[-1] == {"head.weight", "head.bias"}
    assert all(name.startswith("backbone.") for group in groups[:-1] for name in group)
    assert "backbone.stem.0.weight" in groups[0]


def test_frozen_parameters_keep_their_place() -> None:
    model = on_no_device("resnet18")
    model.requires_grad_(False)
    groups = ArchitectureLayerGroups.get_layer_groups(model, "resnet18")
    assert names_of(model, groups) == spelled_out(model, FIVE["resnet18"])


def test_torchvisions_resnet_is_grouped_as_timms() -> None:
    with torch.device("meta"):
        model = torchvision.models.resnet18(num_classes=4)
    groups = ArchitectureLayerGroups.get_layer_groups(model, "resnet18")
    assert names_of(model, groups) == spelled_out(model, FIVE["resnet18"])


def test_a_model_of_another_architecture_is_refused() -> None:
    get = ArchitectureLayerGroups.get_layer_groups
    with pytest.raises(InputError, match="architecture: the model is 'resnet34', not 'resnet18'"):
        get(on_no_device("resnet34"), "resnet18")
    recipe = Recipe(model="test_resnet", pretrained="none", size=64)
    with pytest.raises(InputError, match="the model is 'test_resnet', not 'resnet18'"):
        get(build_classifier(recipe, 3), "resnet18")
    with torch.device("meta"):
        deeper, wider = torchvision.models.resnet34(), torchvision.models.wide_resnet50_2()
    with pytest.raises(InputError, match=r"ResNet differs from timm's 'resnet18' in layer1\.2"):
        get(deeper, "resnet18")
    with pytest.raises(InputError, match=r"differs from timm's 'resnet50' in layer1\.0"):
        get(wider, "resnet50")
    with pytest.raises(InputError, match="Linear differs from timm's 'resnet18' in bias"):
        get(nn.Linear(2, 2), "resnet18")


def test_a_name_that_timm_does_not_know_is_refused() -> None:
    with pytest.raises(InputError, match="timm knows no 'resnet19'; did you mean"):
        ArchitectureLayerGroups.get_layer_groups(on_no_device("resnet18"), "resnet19")


def test_a_name_that_timm_gives_another_model_of_is_taken() -> None:
    model = on_no_device("vitamin_xlarge_336")  # says that it is vitamin_xlarge_256
    assert len(ArchitectureLayerGroups.get_layer_groups(model, "vitamin_xlarge_336")) == 5


def test_a_model_without_a_classifier_is_refused() -> None:
    with pytest.raises(InputError, match="model: resnet18 has no classifier; set num_classes"):
        ArchitectureLayerGroups.get_layer_groups(
            on_no_device("resnet18", num_classes=0), "resnet18"
        )


def test_a_model_of_fewer_than_five_groups_is_refused() -> None:
    model = on_no_device("vit_tiny_patch16_224", depth=2)  # an embedding, two blocks, the head
    with pytest.raises(InputError, match="has 4 layer groups, fewer than 5"):
        ArchitectureLayerGroups.get_layer_groups(model, "vit_tiny_patch16_224")


@given(depth=st.integers(4, 60), norm=st.booleans(), stem=st.booleans())
def test_blocks_are_dealt_in_order_to_four_parts_of_nearly_equal_length(
    depth: int, norm: bool, stem: bool
) -> None:
    blocks = [[f"blocks.{number}.weight"] for number in range(depth)]
    first, last = [["embed.weight"]] * stem, [["norm.weight"]] * norm
    parts = _dealt([*first, *blocks, *last])
    of_blocks = parts[stem : stem + depth]
    lengths = [parts.count(part) for part in range(4)]
    assert parts == sorted(parts)
    assert min(lengths) > 0
    assert set(parts[:stem]) <= {0}
    assert set(parts[stem + depth :]) <= {3}
    if stem:
        shares = [of_blocks.count(part) for part in range(4)]
        assert max(shares) - min(shares) <= 1
