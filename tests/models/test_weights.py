"""Weights from a file: all of them or a refusal that says which are wrong."""

import pickle
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import timm
import torch
from hypothesis import given
from hypothesis import strategies as st

from raymed.config import Pretrained, Recipe
from raymed.errors import InputError
from raymed.models import Classifier, build_classifier, weights_identity
from raymed.models.weights import load_weights

State = dict[str, torch.Tensor]


def load(path: Path, model: str = "test_resnet", size: int = 32) -> Classifier:
    return build_classifier(Recipe(model=model, pretrained={"file": path}, size=size), 3)


@pytest.fixture
def state() -> State:
    """The state dict of a test_resnet with timm's classifier of 1000 classes."""
    torch.manual_seed(5)
    model = timm.create_model("test_resnet")
    for module in model.modules():  # statistics that are not those of a new model
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_()
    return dict(model.state_dict())


def save_pth(state: State, path: Path) -> Path:
    torch.save(state, path.with_suffix(".pth"))
    return path.with_suffix(".pth")


def save_safetensors(state: State, path: Path) -> Path:
    safetensors.torch.save_file(state, path.with_suffix(".safetensors"))
    return path.with_suffix(".safetensors")


def save_wrapped(state: State, path: Path) -> Path:
    torch.save({"state_dict": state, "epoch": 3}, path.with_suffix(".pt"))
    return path.with_suffix(".pt")


@pytest.mark.parametrize("save", [save_pth, save_safetensors, save_wrapped])
def test_everything_but_the_files_classifier_is_loaded(
    save: Callable[[State, Path], Path], state: State, tmp_path: Path
) -> None:
    assert state["fc.weight"].shape[0] == 1000
    model = load(save(state, tmp_path / "weights"))
    loaded = model.backbone.state_dict()
    assert set(state) - set(loaded) == {"fc.weight", "fc.bias"}
    assert all(torch.equal(value, state[name]) for name, value in loaded.items())
    assert not model.head.weight.any()


def test_a_file_without_classifier_is_loaded_as_well(state: State, tmp_path: Path) -> None:
    del state["fc.weight"], state["fc.bias"]
    loaded = load(save_pth(state, tmp_path / "features")).backbone.state_dict()
    assert all(torch.equal(value, state[name]) for name, value in loaded.items())


def test_weights_of_another_architecture_are_refused(state: State, tmp_path: Path) -> None:
    path = save_pth(state, tmp_path / "resnet")
    with pytest.raises(InputError) as caught:
        load(path, "test_efficientnet")
    assert caught.value.place == str(path)
    assert "is not of test_efficientnet: " in caught.value.fault
    assert " missing (" in caught.value.fault
    assert " unknown (" in caught.value.fault
    assert "give weights of that timm model" in caught.value.remedy


def test_one_missing_tensor_is_named(state: State, tmp_path: Path) -> None:
    del state["conv1.0.weight"]
    with pytest.raises(InputError, match=r"test_resnet: 1 missing \(conv1\.0\.weight\); give"):
        load(save_pth(state, tmp_path / "part"))


def test_one_unknown_tensor_is_named(state: State, tmp_path: Path) -> None:
    state["extra"] = torch.zeros(1)
    with pytest.raises(InputError, match=r"test_resnet: 1 unknown \(extra\); give"):
        load(save_pth(state, tmp_path / "more"))


def test_one_tensor_of_another_shape_is_named(state: State, tmp_path: Path) -> None:
    state["conv1.0.weight"] = torch.zeros(2, 3, 3, 3)
    with pytest.raises(InputError, match=r"1 of another shape \(conv1\.0\.weight\); give"):
        load(save_pth(state, tmp_path / "shape"))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_an_absent_file_is_named(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"absent{suffix}"
    with pytest.raises(InputError, match=rf"pretrained.file: no such file: {path}"):
        load(path)


@pytest.mark.parametrize("content", [b"", b".", b"hello", b"PK\x03\x04", b"\x80\x02}q\x00."])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_file_of_something_else_is_refused(content: bytes, suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"other{suffix}"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"is no state dict that can be read .*; save a plain"):
        load(path)


@given(st.binary(max_size=64))
def test_no_bytes_bring_anything_but_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.pth"
    path.write_bytes(content)
    with pytest.raises(InputError):
        load(path)


def test_a_truncated_file_is_refused(state: State, tmp_path: Path) -> None:
    for save in (save_pth, save_safetensors):
        path = save(state, tmp_path / "cut")
        path.write_bytes(path.read_bytes()[:-1000])
        with pytest.raises(InputError, match="no state dict that can be read"):
            load(path)


class Opened:
    """A pickle that would write a file when it is opened without care."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (self.trace,))


def test_a_pickled_object_is_refused_and_not_run(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    torch.save({"weight": Opened(trace)}, tmp_path / "evil.pth")
    (tmp_path / "plain.pth").write_bytes(pickle.dumps(Opened(trace)))
    for name in ("evil.pth", "plain.pth"):
        with pytest.raises(InputError, match="no state dict that can be read"):
            load(tmp_path / name)
    assert not trace.exists()


@pytest.mark.parametrize(
    "content", [[1], {"weight": 1}, {"state_dict": {"a": 1}}, {1: torch.ones(1)}]
)
def test_a_file_that_holds_no_state_dict_is_refused(content: object, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"holds no state dict; save model.state_dict\(\)"):
        load(tmp_path / "other.pth")


def test_weights_are_known_by_content_and_not_by_path(state: State, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    one, same = (save_pth(state, tmp_path / place) for place in ("a", "elsewhere/a"))
    other = save_pth({**state, "extra": torch.zeros(1)}, tmp_path / "other")
    names = [weights_identity(Pretrained(source="file", file=path)) for path in (one, same, other)]
    assert names[0] == names[1] != names[2]
    assert [weights_identity(Pretrained(source=word)) for word in ("hub", "none")] == [
        "hub",
        "none",
    ]
    with pytest.raises(InputError, match=r"pretrained.file: no such file: .*nowhere.pth"):
        weights_identity(Pretrained(source="file", file=tmp_path / "nowhere.pth"))


def test_a_transformers_weights_of_another_size_are_resampled(tmp_path: Path) -> None:
    source = timm.create_model("test_vit", img_size=64)
    torch.save(source.state_dict(), tmp_path / "w.pth")
    backbone = timm.create_model("test_vit", img_size=32, num_classes=0)

    load_weights(backbone, tmp_path / "w.pth", "test_vit")

    assert backbone.pos_embed.shape != source.pos_embed.shape
    assert backbone.pos_embed.abs().sum() > 0  # learned at 64 px, seen again at 32
    assert torch.equal(backbone.patch_embed.proj.weight, source.patch_embed.proj.weight)
