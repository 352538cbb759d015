"""Measured models share a card: which units run together, and what is kept of the measuring."""

import json
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch

from raymed.cluster.spreading import Node
from raymed.models import build_classifier
from raymed.pipeline.build import Built, build_events
from raymed.pipeline.events import Event, Note, Plan, Stage
from raymed.pipeline.footprints import (
    Footprint,
    FootprintUnit,
    footprint_file,
    read_footprint,
    write_footprint,
)
from raymed.pipeline.members import plan_members
from raymed.pipeline.packing import Pack, packs, processes_at_once
from raymed.pipeline.placement import Placement
from raymed.pipeline.prepare import prepare
from raymed.pipeline.units import fold_units
from raymed.runs import RunFolder
from raymed.stories import result_of

GPUS = Placement(
    "cuda", "train", 3, 3, "cpu", cards=(Node("10.0.0.1", 8, 2), Node("10.0.0.2", 3, 1))
)


@pytest.fixture
def units(make: Any, tmp_path: Path) -> list[Any]:
    """The folds of cnn and probe, nothing of them trained."""
    experiment, run = make(), RunFolder.at(tmp_path)
    prepared = result_of(prepare(experiment, run))
    members = plan_members(experiment, run, prepared)
    return fold_units(experiment, run, members, prepared, "cpu")


def test_units_that_share_a_card_run_together_as_far_as_nodes_have_cores(units: list[Any]) -> None:
    """Four on each of two GPUs with eight cores, three on the third one."""
    small = units[2].recipe

    made = packs(units, GPUS, {small: 4})

    assert made == [Pack(tuple(units[:2]), 3, 1.0), Pack(tuple(units[2:]), 11, 0.25)]
    assert processes_at_once(made) == 5  # four units in 2/3 and 2/11 of a round


def test_without_a_measure_all_units_run_together_one_a_card(units: list[Any]) -> None:
    assert packs(units, GPUS, {}) == [Pack(tuple(units), 3, 1.0)]


def test_where_it_was_said_how_many_share_a_card_nothing_else_is_packed(units: list[Any]) -> None:
    said = Placement("cuda", "workers", 6, 3, "cpu")

    assert packs(units, said, {}) == [Pack(tuple(units), 6, 0.5)]


@pytest.fixture
def measure(units: list[Any]) -> FootprintUnit:
    return FootprintUnit("cnn", units[0].recipe, units[0].run, units[0].images, 4, "cpu")


def test_a_footprint_is_what_a_process_takes_while_it_trains(measure: FootprintUnit) -> None:
    found = result_of(measure.work())

    assert 100 * 1024**2 < found.unit_bytes < found.card_bytes
    assert found.micro_batch is None


def test_a_card_too_small_for_a_batch_is_measured_with_what_it_holds(
    measure: FootprintUnit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(*arguments: Any, **options: Any) -> torch.nn.Module:
        model = build_classifier(*arguments, **options)

        def look(_: object, inputs: tuple[torch.Tensor, ...]) -> None:
            if torch.is_grad_enabled() and model.training and len(inputs[0]) > 5:
                raise torch.cuda.OutOfMemoryError("CUDA out of memory.")

        model.backbone.register_forward_pre_hook(look)
        return model

    monkeypatch.setattr("raymed.training.trying.build_classifier", build)

    assert result_of(measure.work()).micro_batch == 5  # 17 in four parts


def test_a_footprint_is_kept_for_a_recipe_a_card_and_a_torch(
    tmp_path: Path, units: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    small, probe = units[0].recipe, units[2].recipe
    file = footprint_file(tmp_path, small, ["H100"])
    others = [footprint_file(tmp_path, small, ["T4"]), footprint_file(tmp_path, probe, ["H100"])]
    write_footprint(file, Footprint(5, 80, "NVIDIA H100", 16))

    assert read_footprint(file) == Footprint(5, 80, "NVIDIA H100", 16)
    assert file == footprint_file(tmp_path, small.model_copy(), ["H100"])
    assert [read_footprint(other) for other in others] == [None, None]
    monkeypatch.setattr(torch, "__version__", "99.0")
    assert footprint_file(tmp_path, small, ["H100"]) != file


def test_a_footprint_of_another_shape_is_measured_again(tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text(json.dumps({"bytes": 5}))

    assert read_footprint(tmp_path / "old.json") is None


def on_one_card(*arguments: Any) -> Generator[Event, None, Placement]:
    """Place units on a card that only Ray believes in: models run on the CPU."""
    yield from ()
    return Placement("cpu", "workers", 1, 1, "cpu", cards=(Node("here", 2, 1),))


@pytest.mark.slow
def test_a_build_measures_its_models_packs_them_and_gives_the_same_bits(
    built: Built, make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raymed.pipeline.build.placed", on_one_card)
    experiment = make("cluster.workers=auto", f"cluster.cache={tmp_path / 'cache'}")
    events: list[Event] = []
    for event in build_events(experiment, tmp_path / "run"):
        events.append(event)

    measured = [event for event in events if isinstance(event, Stage) and "memory" in event.name]
    assert measured[-1].done == measured[-1].total == 2
    starts = [
        event.text for event in events if isinstance(event, Note) and "starting" in event.text
    ]
    assert starts == ["starting 2 workers on cpu"]
    assert [event.workers for event in events if isinstance(event, Plan)] == [1, 2]
    assert len(list((tmp_path / "cache" / "footprints").glob("*.json"))) == 2
    oof = (tmp_path / "run" / "oof.arrow").read_bytes()
    assert oof == built.run.oof_file.read_bytes()
