"""Pruners stop what is hopeless, compare equal folds alone, and lose no best trial."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from optuna.pruners import NopPruner, WilcoxonPruner
from optuna.trial import TrialState

from raymed.search import (
    AS_IT_STANDS,
    MedianOfMeans,
    Pruner,
    SharedStudy,
    fold_order,
    make_pruner,
)
from tests.search.conftest import run_folds

Driver = Callable[..., SharedStudy]


def complete(study: SharedStudy, values: list[float]) -> None:
    study.finish(run_folds(study, values))


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("wilcoxon", WilcoxonPruner),
        ("median", MedianOfMeans),
        ("none", NopPruner),
        ("paired", NopPruner),  # it needs predictions, which Optuna has none of
    ],
)
def test_a_pruner_is_made_by_its_name(name: Pruner, kind: type) -> None:
    assert isinstance(make_pruner(name), kind)


@pytest.mark.parametrize("direction", ["minimize", "maximize"])
def test_wilcoxon_stops_a_trial_that_is_worse_on_three_folds(
    driver: Driver, direction: str
) -> None:
    sign = 1 if direction == "minimize" else -1
    study = driver(folds=5, pruner="wilcoxon", objectives={"score": direction})
    complete(study, [sign * value for value in (0.1, 0.2, 0.3, 0.4, 0.5)])
    trial = run_folds(study, [sign * 0.2, sign * 0.4])
    assert not study.should_prune(trial)  # of two signs p is 1/4

    study.report(trial, 2, sign * 0.6)  # of three 1/8, below 0.2

    assert study.should_prune(trial)


def test_wilcoxon_pairs_folds_whatever_their_order(driver: Driver) -> None:
    study = driver(folds=5, pruner="wilcoxon")
    complete(study, [1.0, 2.0, 3.0, 4.0, 5.0])
    trial = study.ask()
    assert trial is not None
    for fold, value in ((4, 4.9), (0, 0.9), (2, 2.9)):
        study.report(trial, fold, value)

    assert not study.should_prune(trial)  # better on each fold, though its mean is high


def test_the_median_compares_means_of_the_same_folds(driver: Driver) -> None:
    study = driver(folds=3, pruner="median")
    for extra in (0.0, 0.1, 0.2, 0.3):
        complete(study, [1.0 + extra, 2.0 + extra, 9.0 + extra])
    trial = study.ask()
    assert trial is not None
    study.report(trial, 2, 9.1)
    assert not study.should_prune(trial)  # the first fold warms up
    study.report(trial, 0, 1.1)
    assert not study.should_prune(trial)  # 5.1, and the median on folds 0 and 2 is 5.15

    worse = study.ask()
    assert worse is not None
    study.report(worse, 2, 9.2)
    study.report(worse, 0, 1.2)
    assert study.should_prune(worse)


def test_the_median_waits_for_four_complete_trials(driver: Driver) -> None:
    study = driver(folds=3, pruner="median")
    for _ in range(3):
        complete(study, [1.0, 1.0, 1.0])
    trial = run_folds(study, [9.0, 9.0])
    assert not study.should_prune(trial)

    complete(study, [1.0, 1.0, 1.0])
    assert study.should_prune(trial)


@pytest.mark.parametrize(
    ("folds", "pruner"), [(3, "median"), (4, "median"), (5, "wilcoxon"), (10, "wilcoxon")]
)
def test_no_trial_is_pruned_after_its_last_fold(driver: Driver, folds: int, pruner: str) -> None:
    study = driver(folds=folds, pruner=pruner)
    for _ in range(5):
        complete(study, [0.1] * folds)
    trial = run_folds(study, [9.0] * (folds - 1))
    assert study.should_prune(trial)

    study.report(trial, folds - 1, 9.0)

    assert not study.should_prune(trial)


def test_a_trial_of_no_fold_is_not_pruned(driver: Driver) -> None:
    study = driver(pruner="median")

    assert not study.should_prune(run_folds(study, []))


def test_the_recipe_as_it_stands_is_never_pruned_unless_it_diverges(driver: Driver) -> None:
    study = driver(folds=5, pruner="wilcoxon")
    complete(study, [0.1, 0.2, 0.3, 0.4, 0.5])
    study.enqueue({"rho": 0.5}, AS_IT_STANDS)
    stands = run_folds(study, [0.2, 0.4, 0.6])

    assert study.should_prune(run_folds(study, [0.2, 0.4, 0.6]))
    assert not study.should_prune(stands)
    study.report(stands, 3, float("inf"))
    assert study.should_prune(stands)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_fold_that_diverged_ends_its_trial(driver: Driver, value: float) -> None:
    study = driver(folds=5, pruner="wilcoxon")
    trial = run_folds(study, [value])

    assert study.should_prune(trial)
    assert study.finish(trial, pruned=True) == TrialState.PRUNED
    complete(study, [0.1] * 5)
    assert not study.should_prune(run_folds(study, [0.1, 0.1]))


def test_every_fold_comes_once_and_each_trial_has_its_own_order() -> None:
    orders = [fold_order(7, number, 5) for number in range(200)]

    assert all(sorted(order) == list(range(5)) for order in orders)
    assert orders == [fold_order(7, number, 5) for number in range(200)]
    assert orders != [fold_order(8, number, 5) for number in range(200)]
    firsts = np.bincount([order[0] for order in orders])
    assert firsts.min() > 20  # 40 each on average


@pytest.mark.parametrize(("folds", "pruner"), [(3, "median"), (5, "wilcoxon")])
def test_pruning_saves_folds_and_loses_few_best_trials(
    driver: Driver, folds: int, pruner: str, tmp_path: Path
) -> None:
    """40 trials whose true losses differ about as much as folds are noisy (sd 0.05)."""
    lost, runs, studies = 0, 0, 4
    for seed in range(studies):
        study = driver(folds=folds, sampler="random", pruner=pruner, folder=tmp_path / str(seed))
        rng = np.random.default_rng(seed)
        truth, ease = rng.normal(0.5, 0.05, 40), rng.normal(0.0, 0.1, folds)
        noise = rng.normal(0.0, 0.05, (40, folds))
        whole = truth + noise.mean(axis=1)
        for number in range(40):
            trial = study.ask()
            assert trial is not None
            for fold in fold_order(seed, number, folds):
                runs += 1
                study.report(trial, fold, truth[number] + ease[fold] + noise[number, fold])
                if study.should_prune(trial):
                    study.finish(trial, pruned=True)
                    break
            else:
                study.finish(trial)
        best = study.best()
        assert best is not None
        lost += best.number != int(np.argmin(whole))
    assert runs < 0.9 * studies * 40 * folds
    assert lost <= 1
