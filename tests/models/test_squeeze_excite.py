"""Squeeze-and-excitation blocks in backbones that have none."""

from typing import Any

import pytest
import timm
import torch
from timm.layers import SEModule

from raymed.config import Recipe
from raymed.errors import InputError
from raymed.models import Classifier, build_classifier, layer_groups
from raymed.models.squeeze_excite import insert_squeeze_excite

CNNS = ["resnet18", "mobilenetv2_100", "convnext_atto", "resnext50_32x4d", "hybrid/resnet18"]


def classifier(name: str, **changes: Any) -> Classifier:
    torch.manual_seed(0)
    plain = {"model": name, "pretrained": "none", "size": 64}
    return build_classifier(Recipe.model_validate({**plain, **changes}), 3)


def blocks(model: torch.nn.Module) -> list[str]:
    return [name for name, each in model.named_modules() if isinstance(each, SEModule)]


@pytest.mark.parametrize("name", CNNS)
def test_new_blocks_change_no_bit_of_what_a_backbone_computes(name: str) -> None:
    plain, more = classifier(name).eval(), classifier(name, squeeze_excite={}).eval()
    missing, unexpected = more.load_state_dict(plain.state_dict(), strict=False)
    images = torch.rand(2, 3, 64, 64)

    assert len(blocks(more)) == 4 or name == "mobilenetv2_100"
    assert unexpected == []
    assert all(".fc" in name for name in missing)
    assert torch.equal(plain.features(images), more.features(images))


@pytest.mark.parametrize("name", CNNS)
def test_every_parameter_of_theirs_is_in_a_layer_group_and_learns(name: str) -> None:
    model = classifier(name, squeeze_excite={})
    torch.nn.init.normal_(model.head.weight)  # type: ignore[arg-type]
    model(torch.rand(4, 3, 64, 64)).sum().backward()

    grouped = {each for group in layer_groups(model) for each in group}
    assert grouped == {each for each, _ in model.named_parameters()}
    for block in blocks(model):
        assert model.get_parameter(f"{block}.fc2.weight").grad is not None
    assert any(model.get_parameter(f"{block}.fc2.weight").grad.any() for block in blocks(model))  # type: ignore[union-attr]


def test_they_stand_after_the_stages_that_were_named() -> None:
    backbone = timm.create_model("resnet18", num_classes=0)

    insert_squeeze_excite(backbone, (2, 4), reduction=8)

    assert blocks(backbone) == ["layer2.2", "layer4.2"]
    assert backbone.layer2[2].fc1.out_channels == 128 // 8


def test_a_block_is_timms_own_but_for_the_gate_that_is_one_at_zero() -> None:
    backbone = timm.create_model("resnet18", num_classes=0)
    insert_squeeze_excite(backbone, (1,))
    block = backbone.layer1[2]
    torch.nn.init.normal_(block.fc2.weight)
    theirs = SEModule(64, rd_ratio=1 / 16, rd_divisor=1)
    theirs.load_state_dict(block.state_dict())
    values = torch.rand(2, 64, 5, 5)

    assert torch.allclose(block(values), 2 * theirs(values))


@pytest.mark.parametrize(
    ("name", "stages", "fault"),
    [
        ("efficientnet_b0", None, "has such blocks already"),
        ("vit_tiny_patch16_224", None, "no stages of feature maps"),
        ("densenet121", None, "no stages of feature maps"),
        ("swin_tiny_patch4_window7_224", None, "no stages of feature maps"),
        ("resnet18", (5,), "has 4 stages, not 5"),
    ],
)
def test_a_backbone_they_do_not_fit_is_refused(
    name: str, stages: tuple[int, ...] | None, fault: str
) -> None:
    backbone = timm.create_model(name, num_classes=0)

    with pytest.raises(InputError, match=fault):
        insert_squeeze_excite(backbone, stages)
