"""The hybrid: at step 0 its CNN's features, over any CNN and any size."""

import math
from typing import Any

import pytest
import timm
import torch
import torchvision
from torch import nn

from raymed.errors import InputError
from raymed.losses import cross_entropy
from raymed.models import MedicalViTAdapter

FAMILIES = [
    "resnet10t",
    "mobilenetv2_035",
    "mobilenetv3_small_050",  # a convolution after the pooling, which the map does not pass
    "mobilenetv4_conv_small_035",
    "efficientnet_lite0",
    "ghostnet_050",
    "regnetx_002",
    "convnext_atto",  # a norm after the pooling
    "densenet121",
    "repvgg_a0",
    "edgenext_xx_small",
    "mobilevit_xxs",
    "efficientvit_b0",
    "poolformer_s12",  # names no layer groups
    "mambaout_femto",  # channels last
]


def small(cnn: Any = "test_resnet", classes: int = 3, **changes: Any) -> MedicalViTAdapter:
    """A narrow hybrid; the same seed for all."""
    torch.manual_seed(0)
    plain: dict[str, Any] = {"embedding_dim": 32, "num_heads": 4, "num_transformer_layers": 2}
    return MedicalViTAdapter(cnn, num_classes=classes, **{**plain, **changes})


def with_loud_classifier(model: MedicalViTAdapter) -> MedicalViTAdapter:
    torch.manual_seed(1)
    nn.init.normal_(model.classifier.weight)
    return model


@pytest.mark.parametrize(
    ("name", "reference"),
    # by hand, resnet18: CNN 11,176,512; projection 512 * 512 + 512; positions 49 * 512; a layer
    # 4 * (512 * 512 + 512) + 2 * 512 * 2048 + 2048 + 512 + 4 * 512 = 3,152,384, four of them;
    # gate 512; norm 1,024; classifier 4 * 512 + 4
    [("resnet18", 24.08e6), ("resnet50", 37.20e6)],
)
def test_the_defaults_have_the_published_number_of_parameters(name: str, reference: float) -> None:
    model = MedicalViTAdapter(name)
    count = sum(parameter.numel() for parameter in model.parameters())
    assert count == pytest.approx(reference, rel=0.005)
    if name == "resnet18":
        assert count == 11_176_512 + 262_656 + 25_088 + 4 * 3_152_384 + 512 + 1_024 + 2_052


@pytest.mark.parametrize("training", [False, True])
def test_at_step_0_it_is_the_module_without_transformer_layers(training: bool) -> None:
    """Dropout and drop-path draw behind the closed gate, so train mode is no exception."""
    deep = with_loud_classifier(small(dropout=0.5, drop_path=0.5)).train(training)
    flat = with_loud_classifier(small(num_transformer_layers=0)).train(training)
    flat.load_state_dict({name: deep.state_dict()[name] for name in flat.state_dict()})
    images = torch.rand(4, 3, 64, 96)
    assert torch.equal(deep(images), flat(images))
    assert deep(images).abs().max() > 0.1


def test_an_open_gate_changes_the_output_and_lets_dropout_through() -> None:
    model, images = with_loud_classifier(small(dropout=0.5)).eval(), torch.rand(4, 3, 64, 64)
    closed = model(images)
    nn.init.ones_(model.encoder.gate)
    assert not torch.allclose(model(images), closed)
    assert torch.equal(model(images), model(images))
    model.encoder.train()
    assert not torch.equal(model(images), model(images))


def test_the_gate_has_a_gradient_at_step_0_so_that_it_can_open() -> None:
    model = small()
    cross_entropy(model(torch.rand(4, 3, 64, 64)), torch.tensor([0, 1, 2, 0])).backward()
    assert not model.encoder.gate.any()
    assert (model.encoder.gate.grad != 0).all()
    assert not any(p.grad.any() for p in model.encoder.blocks.parameters())  # closed as yet


def test_after_one_step_the_gate_is_open_and_the_encoder_learns() -> None:
    model = small()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for _ in range(2):
        optimizer.zero_grad()
        loss = cross_entropy(model(torch.rand(4, 3, 64, 64)), torch.tensor([0, 1, 2, 0]))
        loss.backward()
        optimizer.step()
    assert model.encoder.gate.any()
    assert all(p.grad.any() for n, p in model.encoder.named_parameters() if "weight" in n)
    assert model.encoder.positions.grad.any()


@pytest.mark.parametrize("classes", [2, 7])
def test_the_first_loss_is_that_of_knowing_nothing(classes: int) -> None:
    model = small("resnet10t", classes, embedding_dim=512)
    loss = cross_entropy(model(torch.rand(14, 3, 64, 64)), torch.arange(14) % classes)
    assert loss.item() == pytest.approx(math.log(classes), rel=0.01)
    assert model.classifier.weight.any()  # near zero, not zero: gradients pass


def test_without_classes_it_gives_the_pooled_vector() -> None:
    model = small(classes=0)
    assert model(torch.rand(2, 3, 64, 64)).shape == (2, 32)
    assert model.num_features == 32
    assert model.num_classes == 0


@pytest.mark.parametrize("name", FAMILIES)
def test_any_cnn_takes_any_size_and_aspect_and_all_of_it_learns(name: str) -> None:
    model = small(name)
    nn.init.ones_(model.encoder.gate)
    with torch.no_grad():
        for size in ((64, 64), (64, 96), (160, 96)):
            assert model.eval()(torch.rand(1, 3, *size)).shape == (1, 3)
    model(torch.rand(1, 3, 64, 96)).sum().backward()
    assert [name for name, p in model.named_parameters() if p.grad is None] == []


@pytest.mark.parametrize("name", FAMILIES)
def test_groups_are_the_cnns_from_its_stem_then_the_new_layers_then_the_classifier(
    name: str,
) -> None:
    model = small(name)
    groups = model.layer_groups()
    listed = [parameter for group in groups for parameter in group]
    assert sorted(listed) == sorted(name for name, _ in model.named_parameters())
    assert groups[-1] == ["classifier.weight", "classifier.bias"]
    assert groups[-2] == model.new_parameters()
    cnn = groups[:-2]
    assert len(cnn) >= 3 or (len(cnn) == 1 and name == "poolformer_s12")
    assert all(parameter.startswith("cnn.") for group in cnn for parameter in group)
    assert next(iter(dict(model.named_parameters()))) in cnn[0]


def test_timms_tools_see_the_same_groups() -> None:
    model = small()
    found = timm.models.group_parameters(model, model.group_matcher())
    assert [sorted(found[key]) for key in sorted(found)] == [
        sorted(g) for g in model.layer_groups()
    ]


def test_new_are_projection_positions_encoder_gate_and_norm() -> None:
    model = small()
    names = model.new_parameters()
    assert {"projection.weight", "encoder.positions", "encoder.gate", "norm.weight"} <= set(names)
    assert {name.split(".")[0] for name in names} == {"projection", "encoder", "norm"}
    assert small(classes=0).layer_groups()[-1] == names


def test_a_module_that_gives_a_map_is_a_backbone_of_one_group() -> None:
    resnet = torchvision.models.resnet18()
    model = MedicalViTAdapter(nn.Sequential(*list(resnet.children())[:-2]))
    assert model(torch.rand(2, 3, 64, 96)).shape == (2, 4)
    assert model.projection.weight.shape == (512, 512, 1, 1)  # also at equal widths
    assert len(model.layer_groups()) == 3
    assert sum(p.numel() for p in model.parameters()) == 24_077_380  # as with timm's resnet18


def test_a_list_of_maps_is_read_at_its_last() -> None:
    maps = timm.create_model("test_resnet", features_only=True)
    assert small(maps).projection.in_channels == maps.feature_info.channels()[-1]


def test_a_model_of_a_fixed_size_that_gives_a_grid_is_taken_at_that_size() -> None:
    model = small("swin_tiny_patch4_window7_224").eval()
    assert model.projection.in_channels == 768
    with torch.no_grad():
        assert model(torch.rand(1, 3, 224, 224)).shape == (1, 3)


def test_a_timm_model_keeps_its_weights_and_loses_its_classifier() -> None:
    cnn = timm.create_model("test_resnet", num_classes=10)
    stem = cnn.conv1[0].weight.clone()
    model = small(cnn)
    assert model.cnn is cnn
    assert torch.equal(cnn.conv1[0].weight, stem)
    assert not any(name.startswith("fc.") for name, _ in cnn.named_parameters())


def test_building_leaves_the_cnns_modes_flags_and_statistics_alone() -> None:
    cnn = timm.create_model("test_resnet", num_classes=0)
    cnn.layer1.eval()
    cnn.conv1.requires_grad_(False)
    before = {name: value.clone() for name, value in cnn.state_dict().items()}
    small(cnn)
    assert cnn.training
    assert not any(module.training for module in cnn.layer1.modules())
    frozen = {name for name, p in cnn.named_parameters() if not p.requires_grad}
    assert frozen == {f"conv1.{name}" for name, _ in cnn.conv1.named_parameters()}
    assert all(torch.equal(before[name], value) for name, value in cnn.state_dict().items())


def test_channels_last_gives_the_same() -> None:
    model, images = with_loud_classifier(small()).eval(), torch.rand(2, 3, 64, 96)
    nn.init.ones_(model.encoder.gate)
    expected = model(images)
    last = model.to(memory_format=torch.channels_last)
    found = last(images.contiguous(memory_format=torch.channels_last))
    torch.testing.assert_close(found, expected)


class Vector(nn.Module):
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return images.mean((2, 3))


@pytest.mark.parametrize("backbone", ["test_vit", "pit_ti_224", Vector()])
def test_a_backbone_without_a_map_is_refused(backbone: Any) -> None:
    with pytest.raises(InputError, match=r"cnn_backbone: \w+ gives features of shape .* not a map"):
        small(backbone)


def test_a_backbone_that_fails_is_refused_with_its_reason() -> None:
    with pytest.raises(InputError, match=r"Conv2d cannot map a black image of three .*channels"):
        small(nn.Conv2d(5, 4, 3))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"embedding_dim": 30}, "embedding_dim: 30 cannot be divided among 4 heads"),
        ({"num_heads": 0}, "cannot be divided among 0 heads"),
        ({"embedding_dim": 0}, "embedding_dim: 0 cannot"),
        ({"num_transformer_layers": -1}, "num_transformer_layers: -1 is negative"),
        ({"classes": -1}, "num_classes: -1 is negative"),
        ({"dropout": 1.0}, "dropout: 1.0 is not in"),
        ({"drop_path": -0.1}, "drop_path: -0.1 is not in"),
        ({"cnn": "resnett18"}, "timm knows no 'resnett18'; did you mean 'resnet18'"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        small(**changes)
