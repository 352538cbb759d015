"""Samplers have the seed of their trial; CMA-ES is refused where it cannot search."""

import importlib.util
from collections.abc import Callable

import optuna
import pytest

from raymed.errors import InputError
from raymed.search import SharedStudy, make_sampler, refuse_unfit_sampler
from raymed.search.sampling import trial_seed
from tests.search.conftest import run_folds

Driver = Callable[..., SharedStudy]


def test_seeds_differ_by_study_and_by_trial_and_are_always_the_same() -> None:
    seeds = {trial_seed(seed, number) for seed in range(20) for number in range(50)}

    assert len(seeds) == 1000
    assert trial_seed(3, 4) == trial_seed(3, 4)


@pytest.mark.parametrize(
    ("objectives", "plain", "fault"),
    [(2, True, "one objective"), (1, False, "no choices and no conditional parts")],
)
def test_cmaes_is_refused_where_it_cannot_search(objectives: int, plain: bool, fault: str) -> None:
    with pytest.raises(InputError, match=fault) as refused:
        refuse_unfit_sampler("cmaes", objectives, plain)

    assert refused.value.place == "search.sampler"
    refuse_unfit_sampler("tpe", objectives, plain)
    refuse_unfit_sampler("random", objectives, plain)


@pytest.mark.skipif(importlib.util.find_spec("cmaes") is not None, reason="cmaes is there")
def test_cmaes_without_its_package_is_refused(driver: Driver) -> None:
    with pytest.raises(InputError, match="needs the package cmaes"):
        driver(sampler="cmaes", plain=True)


def test_cmaes_comes_near_the_best_point(driver: Driver) -> None:
    pytest.importorskip("cmaes")

    def two(trial: optuna.Trial) -> tuple[float, float]:
        return trial.suggest_float("x", -1.0, 1.0), trial.suggest_float("y", -1.0, 1.0)

    study = driver(sampler="cmaes", plain=True, pruner="none", suggest=two)
    for _ in range(60):
        trial = study.ask()
        assert trial is not None
        for fold in range(3):
            study.report(trial, fold, trial.chosen[0] ** 2 + trial.chosen[1] ** 2)
        study.finish(trial)

    best = study.best()
    assert best is not None
    assert best.values[0] < 0.05


def test_tpe_searches_conditional_parts_and_choices(driver: Driver) -> None:
    def conditional(trial: optuna.Trial) -> float:
        if trial.suggest_categorical("sam", ["none", "sam"]) == "none":
            return 0.5
        return trial.suggest_float("rho", 0.0, 1.0)

    study = driver(suggest=conditional)
    for _ in range(30):
        trial = study.ask()
        assert trial is not None
        for fold in range(3):
            study.report(trial, fold, abs(trial.chosen - 0.2))
        study.finish(trial)

    best = study.best()
    assert best is not None
    assert best.params["sam"] == "sam"
    assert best.values[0] < 0.1


def test_samplers_are_quiet() -> None:
    for kind in ("tpe", "random"):
        make_sampler(kind, 0)


def test_a_pruned_trial_teaches_the_sampler(driver: Driver) -> None:
    study = driver()
    for _ in range(15):
        trial = run_folds(study, [])
        study.report(trial, 0, trial.chosen["rho"])
        study.finish(trial, pruned=True)

    assert study.ask() is not None
