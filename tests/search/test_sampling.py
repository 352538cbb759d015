"""Samplers have the seed of their trial; CMA-ES is refused where it cannot search."""

import math
from collections.abc import Callable

import numpy as np
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


def two(trial: optuna.Trial) -> tuple[float, float]:
    return trial.suggest_float("x", 1e-4, 1.0, log=True), trial.suggest_float("y", -1.0, 3.0)


def bowl(x: float, y: float) -> float:
    """Lowest at x = 0.01, the middle of its logarithms, and y = 2.5, near an end."""
    return math.log10(x / 0.01) ** 2 + (y - 2.5) ** 2


def test_cmaes_gathers_around_the_best_point(driver: Driver) -> None:
    study = driver(sampler="cmaes", plain=True, pruner="none", suggest=two)
    for _ in range(90):
        trial = study.ask()
        assert trial is not None
        for fold in range(3):
            study.report(trial, fold, bowl(*trial.chosen))
        study.finish(trial)

    values = [trial.values[0] for trial in study.study.get_trials()]
    assert np.median(values[-20:]) < 0.05 < np.median(values[:20])


def test_cmaes_goes_on_alike_from_the_study_alone_and_stores_nothing() -> None:
    study = optuna.create_study()
    for number in range(30):
        study.sampler = make_sampler("cmaes", trial_seed(0, number))
        trial = study.ask()
        study.tell(trial, bowl(*two(trial)))
    told = study.get_trials()

    points = []
    for _ in range(2):
        again = optuna.create_study(sampler=make_sampler("cmaes", 99))
        again.add_trials(told)
        points.append(two(again.ask()))

    assert points[0] == points[1]
    assert not any(trial.system_attrs for trial in told)


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
