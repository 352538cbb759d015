"""`model: hybrid/NAME` in a recipe: the CNN's weights and normalisation, a new Transformer."""

from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import timm
import torch

from raymed.config import Recipe
from raymed.errors import InputError
from raymed.models import Classifier, MedicalViTAdapter, build_classifier, layer_groups

SMALL = {"embedding_dim": 32, "heads": 4, "layers": 2}


def build(model: str = "hybrid/test_resnet", classes: int = 3, **fields: Any) -> Classifier:
    torch.manual_seed(0)
    plain: dict[str, Any] = {"pretrained": "none", "size": 32, "hybrid": SMALL}
    return build_classifier(Recipe(model=model, **{**plain, **fields}), classes)


def test_the_recipe_decides_the_transformer() -> None:
    hybrid = {**SMALL, "dropout": 0.2, "drop_path": 0.3}
    model = build(hybrid=hybrid)
    adapter = model.backbone
    assert isinstance(adapter, MedicalViTAdapter)
    assert model.head.in_features == 32
    assert len(adapter.encoder.blocks) == 2
    assert adapter.encoder.blocks[0].attn.num_heads == 4
    assert adapter.encoder.blocks[0].mlp.drop1.p == 0.2
    assert adapter.encoder.blocks[1].drop_path1.drop_prob == 0.3
    assert build(hybrid=None).head.in_features == 512


def test_weights_from_a_file_go_into_the_cnn(tmp_path: Path) -> None:
    state = timm.create_model("mobilenetv3_small_050").state_dict()
    torch.save(state, tmp_path / "w.pth")
    model = build("hybrid/mobilenetv3_small_050", pretrained={"file": tmp_path / "w.pth"})
    own = model.backbone.cnn.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in own.items())
    # what the map does not pass through is left out
    dropped = {"conv_head", "classifier"}
    assert {name.split(".")[0] for name in set(state) - set(own)} == dropped
    again = build("hybrid/mobilenetv3_small_050")
    assert again.state_dict().keys() == model.state_dict().keys()


def test_weights_of_another_cnn_are_refused(tmp_path: Path) -> None:
    torch.save(timm.create_model("test_vit").state_dict(), tmp_path / "w.pth")
    with pytest.raises(InputError, match=r"is not of test_resnet: .* give weights of that timm"):
        build(pretrained={"file": tmp_path / "w.pth"})


def test_the_hub_is_asked_for_the_cnn() -> None:
    with (
        patch.object(timm, "create_model", side_effect=OSError("offline")) as create,
        pytest.raises(InputError, match="hub weights of test_resnet cannot be had"),
    ):
        build(pretrained="hub")
    assert create.call_args.args == ("test_resnet",)
    assert create.call_args.kwargs["pretrained"] is True


def test_the_normalisation_is_the_cnns() -> None:
    model = build("hybrid/tf_efficientnet_lite0")
    assert model.mean.flatten().tolist() == [0.5, 0.5, 0.5]  # lite0's own, not ImageNet's


def test_only_the_cnn_is_what_a_head_phase_leaves_alone() -> None:
    model = build()
    assert model.trunk is model.backbone.cnn
    names = model.new_parameters()
    old = {f"backbone.cnn.{name}" for name, _ in model.trunk.named_parameters()}
    assert set(names) == {name for name, _ in model.named_parameters()} - old
    assert {"head.weight", "backbone.encoder.gate", "backbone.norm.weight"} <= set(names)
    plain = build("test_resnet", hybrid=None)
    assert plain.trunk is plain.backbone
    assert plain.new_parameters() == []


def test_layer_groups_end_with_the_new_layers_and_the_head() -> None:
    model = build()
    groups = layer_groups(model)
    listed = [name for group in groups for name in group]
    assert sorted(listed) == sorted(name for name, _ in model.named_parameters())
    assert "backbone.cnn.conv1.0.weight" in groups[0]
    assert groups[-1] == ["head.weight", "head.bias"]
    assert groups[-2] == [name for name in model.new_parameters() if name not in groups[-1]]


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ("hybrid/resnett18", "model: timm knows no 'resnett18'; did you mean 'resnet18'"),
        ("hybird/resnet18", "model: unknown prefix 'hybird'; did you mean 'hybrid/resnet18'"),
        ("hybrid/test_vit", r"model: VisionTransformer gives features of .* not a map; give a CNN"),
    ],
)
def test_what_cannot_be_a_hybrid_is_refused(model: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build(model, hybrid=None)


def test_the_first_loss_is_that_of_knowing_nothing() -> None:
    assert not build()(torch.rand(2, 1, 32, 32)).any()


def test_a_fixed_size_model_is_built_for_the_recipes_size() -> None:
    model = build("hybrid/swin_tiny_patch4_window7_224", size=96)
    assert model(torch.rand(1, 1, 96, 96)).shape == (1, 3)
