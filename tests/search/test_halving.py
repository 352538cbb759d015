"""Within a fold, epochs of equal schedules are compared, and the best third goes on."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from raymed.search import (
    AS_IT_STANDS,
    EpochCurve,
    Halving,
    SharedStudy,
    epoch_curve,
    epoch_curves,
    read_snapshot,
    write_snapshot,
)
from tests.search.conftest import run_folds

Driver = Callable[..., SharedStudy]


def test_rungs_grow_by_the_factor_and_end_before_the_last_epoch() -> None:
    assert Halving(first=1, factor=3).rungs(28) == [1, 3, 9, 27]
    assert Halving(first=1, factor=3).rungs(27) == [1, 3, 9]
    assert Halving(first=2, factor=2).rungs(2) == []


def test_the_best_third_goes_on() -> None:
    others = [EpochCurve((value,), 9) for value in (0.1, 0.2, 0.3, 0.4, 0.5)]

    def stops(value: float, minimize: bool = True) -> bool:
        return Halving().stops(EpochCurve((value,), 9), others, minimize)

    assert not stops(0.15)  # one of six is better, two may go on
    assert stops(0.25)
    assert not stops(0.45, minimize=False)
    assert stops(0.35, minimize=False)


def test_another_number_of_epochs_is_another_budget() -> None:
    others = [EpochCurve((0.1,), 12)] * 20

    assert not Halving().stops(EpochCurve((9.0,), 9), others, minimize=True)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_of_all_that_come_this_far_the_best_always_goes_on(values: list[float]) -> None:
    curves = [EpochCurve((value,), 9) for value in values]
    best = values.index(min(values))

    others = [curve for place, curve in enumerate(curves) if place != best]
    assert not Halving().stops(curves[best], others, minimize=True)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_diverged_stops_at_the_next_rung(value: float) -> None:
    assert Halving().stops(EpochCurve((value,), 9), [], minimize=True)


def test_a_study_compares_the_epochs_of_the_same_fold(driver: Driver) -> None:
    study = driver(halving=Halving())
    for value in (0.1, 0.2, 0.3):
        trial = run_folds(study, [])
        study.report_epochs(trial, 0, [value], of=9)
        study.report_epochs(trial, 1, [0.9], of=9)
    trial = run_folds(study, [])
    study.report_epochs(trial, 0, [0.5], of=9)
    study.report_epochs(trial, 1, [0.5], of=9)

    assert study.should_stop_fold(trial, 0)
    assert not study.should_stop_fold(trial, 1)
    assert not study.should_stop_fold(trial, 2)  # nothing is told of it
    assert not driver().should_stop_fold(trial, 0)  # not asked for
    assert epoch_curve(study.study.trials[3], 0) == EpochCurve((0.5,), 9)
    assert study.study.trials[3].intermediate_values == {}


def test_the_recipe_as_it_stands_is_not_stopped_within_a_fold(driver: Driver) -> None:
    study = driver(halving=Halving())
    for value in (0.1, 0.2, 0.3):
        study.report_epochs(run_folds(study, []), 0, [value], of=9)
    study.enqueue({"rho": 0.5}, AS_IT_STANDS)
    stands, other = run_folds(study, []), run_folds(study, [])
    for trial in (stands, other):
        study.report_epochs(trial, 0, [0.9], of=9)

    assert study.should_stop_fold(other, 0)
    assert not study.should_stop_fold(stands, 0)


def test_the_epochs_of_an_unfinished_fold_cost_gpu_hours_until_the_fold_is_told(
    driver: Driver,
) -> None:
    study = driver(halving=Halving())
    trial = run_folds(study, [])
    study.report_epochs(trial, 1, [0.5], of=9, seconds=1800, gpus=2)
    assert study.spent().gpu_hours == pytest.approx(1.0)
    study.report_epochs(trial, 1, [0.5, 0.4], of=9, seconds=3600, gpus=2)
    assert study.spent().gpu_hours == pytest.approx(2.0)
    study.report(trial, 1, 0.4, seconds=3 * 3600, gpus=2)
    assert study.spent().gpu_hours == pytest.approx(6.0)


def test_a_snapshot_keeps_the_epochs_also_those_that_are_not_finite(
    driver: Driver, tmp_path: Path
) -> None:
    study = driver(halving=Halving())
    trial = run_folds(study, [])
    study.report_epochs(trial, 2, [0.5, float("nan")], of=9)
    study.finish(trial, pruned=True)
    write_snapshot(study.study, tmp_path / "trials.json")

    read = read_snapshot(tmp_path / "trials.json")
    assert read is not None
    (curve,) = epoch_curves(read.trials[0]).values()
    assert (curve.of, curve.values[0]) == (9, 0.5)
    assert math.isnan(curve.values[1])
    assert read.trials[0].state == TrialState.PRUNED
