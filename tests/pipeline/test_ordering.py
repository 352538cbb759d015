"""The longest units go first, by what was measured or by what is counted."""

from typing import Any

import pytest

from raymed.config import Phase, Recipe, Sam
from raymed.data.samples import SampleColumns
from raymed.pipeline.members import Scheme, plan_members
from raymed.pipeline.ordering import (
    expected_seconds,
    fold_work,
    images_an_epoch,
    in_seconds,
    longest_first,
    model_gmacs,
)
from raymed.pipeline.prepare import prepare
from raymed.pipeline.units import feature_units, fold_units
from raymed.runs import RunFolder
from raymed.stories import result_of


def recipe_of(**changes: Any) -> Recipe:
    plain = {"model": "test_resnet", "pretrained": "none", "size": 32, "batch_size": 8}
    return Recipe(**{**plain, "phases": (Phase(epochs=2, lr=1e-3),), **changes})


@pytest.fixture
def scheme(make: Any, tmp_path: Any) -> Scheme:
    """Three members, nothing of them trained: one small, one with SAM, a probe."""
    experiment = make(
        "recipes.sam.model=test_resnet",
        "recipes.sam.sam={rho: 0.05}",
        "recipes.sam.phases=[{epochs: 3, lr: 2e-3}]",
    )
    run = RunFolder.at(tmp_path)
    prepared = result_of(prepare(experiment, run))
    return Scheme(run, prepared, plan_members(experiment, run, prepared))


def units_of(make: Any, scheme: Scheme) -> list[Any]:
    own = make(f"cluster.cache={scheme.run.path / 'cache'}")  # without the features of other tests
    arguments = own, scheme.run, scheme.members, scheme.prepared, "cpu"
    return [*fold_units(*arguments), *feature_units(*arguments)]


def test_the_longest_go_first_and_a_probe_after_its_features(make: Any, scheme: Scheme) -> None:
    units = units_of(make, scheme)

    order = longest_first(units, expected_seconds([scheme], units))

    assert [(unit.member, unit.part) for unit in order] == [
        ("sam", "fold 0"),
        ("sam", "fold 1"),
        ("cnn", "fold 0"),
        ("cnn", "fold 1"),
        ("probe", "features"),
        ("probe", "fold 0"),
        ("probe", "fold 1"),
    ]


def test_what_folds_took_counts_more_than_what_is_counted(make: Any, scheme: Scheme) -> None:
    small = next(member for member in scheme.members if member.name == "cnn")
    attempt = small.folder.start_attempt(0)
    for name in ("checkpoint.safetensors", "state.json", "epochs.parquet", "predictions.parquet"):
        (attempt / name).touch()
    small.folder.finish_fold(0, attempt, seconds=5000.0)
    units = units_of(make, scheme)

    expected = expected_seconds([scheme], units)

    assert expected["cnn", "fold 1"] == 5000.0
    assert expected["sam", "fold 0"] == pytest.approx(10_000.0)  # two passes, at cnn's pace


def test_units_of_one_member_keep_their_order(make: Any, scheme: Scheme) -> None:
    units = [unit for unit in units_of(make, scheme) if unit.member == "cnn"]

    assert longest_first(units, expected_seconds([scheme], units)) == units


@pytest.mark.parametrize(
    ("changes", "forward_passes"),
    [
        ({}, 2 * 3),  # two epochs, forward and backward
        ({"sam": Sam()}, 2 * 3 * 2),
        ({"sam": Sam(part=0.25)}, 2 * 3 * 1.25),
        ({"sam": Sam(last=0.5)}, 2 * 3 * 1.5),
        ({"sam": Sam(variant="looksam")}, 2 * 3 * 1.2),
        ({"sam": Sam(variant="msam")}, 2 * 3),
        ({"workers": 2}, 3),
        ({"phases": ({"train": "head", "epochs": 4, "lr": 1e-3}, {"epochs": 2, "lr": 1e-3})}, 10),
    ],
)
def test_work_is_counted_in_forward_passes(changes: Any, forward_passes: float) -> None:
    assert fold_work(recipe_of(**changes), 0.5, 100) == pytest.approx(50 * forward_passes)


def test_members_that_were_not_measured_go_at_the_pace_of_those_that_were() -> None:
    work = {"a": 10.0, "b": 30.0, "c": 5.0}

    assert in_seconds(work, {"a": 2.0, "b": 2.0}) == {"a": 2.0, "b": 2.0, "c": 0.5}
    assert in_seconds(work, {}) == work


def test_a_larger_image_costs_more() -> None:
    assert model_gmacs(recipe_of(size=64)) > 3 * model_gmacs(recipe_of(size=32))


def test_images_of_an_epoch_are_those_that_are_drawn(scheme: Scheme) -> None:
    """20 patients with two slices, a fifth tested, half of the rest held out."""
    samples = SampleColumns.of(scheme.prepared.manifest, scheme.prepared.folds)
    member = scheme.members[0]
    patients = len(set(samples.patients[samples.training_rows(0)]))

    assert images_an_epoch(member, samples) == 2 * patients == 16
