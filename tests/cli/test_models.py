"""`raymed models`: what each member's model costs, in a table and as JSON."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raymed.pipeline import models

Call = Callable[..., Any]
PROBE = (
    "recipes.probe={model: test_resnet, pretrained: {file: nowhere.pth}, size: 48, "
    "phases: [{train: head, epochs: 1, lr: 1e-3}]}"
)


@pytest.fixture(autouse=True)
def one_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time a single step, in this process: a new one takes seconds to load torch."""

    class Here:
        def __init__(self, *_: Any) -> None: ...
        def __enter__(self) -> "Here":
            return self

        def __exit__(self, *_: Any) -> None: ...
        def submit(self, work: Callable[..., Any], *arguments: Any) -> "Here":
            self.found = work(*arguments)
            return self

        def result(self) -> Any:
            return self.found

    monkeypatch.setattr(models, "_SECONDS", 0.0)
    monkeypatch.setattr(models, "ProcessPoolExecutor", Here)


def test_json_tells_every_member(raymed: Call, config: Path) -> None:
    hybrid = "recipes.hybrid={model: hybrid/test_resnet, pretrained: none, size: 32, batch_size: 4}"

    said = raymed("models", config, PROBE, hybrid, "--json")

    assert said.code == 0, said
    rows = {row["member"]: row for row in json.loads(said.out)}
    assert list(rows) == ["cnn", "probe", "hybrid"]
    assert {name: row["work"] for name, row in rows.items()} == {
        "cnn": "training",
        "probe": "features",
        "hybrid": "training",
    }
    assert [row["cost"]["size"] for row in rows.values()] == [32, 48, 32]
    cnn, probe = rows["cnn"]["cost"], rows["probe"]["cost"]
    assert cnn["parameters"] == cnn["trainable"] == probe["parameters"]
    assert probe["trainable"] == 96 * 2 + 2  # the head of two classes
    assert rows["hybrid"]["model"] == "hybrid/test_resnet"
    assert rows["hybrid"]["cost"]["gmacs"] > cnn["gmacs"] > 0
    assert rows["hybrid"]["batch_size"] == 4
    assert all(row["images_per_second"] > 0 and row["device"] == "cpu" for row in rows.values())


def test_the_table_says_what_its_columns_mean(raymed: Call, config: Path) -> None:
    said = raymed("models", config, PROBE)

    assert said.code == 0, said
    for word in ("cnn", "probe", "test_resnet", "GMAC", "images/s", "peak"):
        assert word in said.out
    told = " ".join(said.out.split())
    assert "peak: how far its resident memory grew" in told
    assert "* a probe's features, which are computed once" in told


def test_a_model_that_cannot_be_built_is_named_with_its_place(raymed: Call, config: Path) -> None:
    said = raymed("models", config, "recipes.cnn.model=hybrid/resnett18")

    assert said.code == 2
    assert "recipes.cnn.model: timm knows no 'resnett18'; did you mean 'resnet18'" in said.err


@pytest.mark.slow
def test_each_model_is_measured_in_a_process_of_its_own(
    raymed: Call, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    larger = "recipes.larger={model: resnet18, pretrained: none, size: 96, batch_size: 32}"

    said = raymed("models", config, larger, "--json")

    assert said.code == 0, said
    small, large = (row["peak_bytes"] for row in json.loads(said.out))
    assert 0 < small < large
    # weights, gradients and AdamW's two moments: four times 11.2 M floats, and activations
    assert large > 4 * 4 * 11.2e6
