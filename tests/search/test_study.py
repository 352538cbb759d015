"""A shared study tells what became of every trial, and goes on where another driver stopped."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from raymed.errors import InputError
from raymed.search import Budget, LeaseLostError, SharedStudy, first_error, open_storage
from tests.search.conftest import Clock, run_folds

Driver = Callable[..., SharedStudy]


@pytest.fixture(params=["journal", "sqlite"])
def shared(request: pytest.FixtureRequest, driver: Driver, tmp_path: Path) -> Driver:
    url = None if request.param == "journal" else f"sqlite:///{tmp_path}/study.db"

    def open_one(**options: object) -> SharedStudy:
        return driver(url=url, **options)

    return open_one


def test_a_pruned_trial_is_stored_as_pruned_with_all_its_values(shared: Driver) -> None:
    study = shared()
    trial = run_folds(study, [0.9, 0.8])

    assert study.finish(trial, pruned=True) == TrialState.PRUNED

    stored = shared().study.trials[0]
    assert stored.state == TrialState.PRUNED
    assert stored.intermediate_values == {0: 0.9, 1: 0.8}


def test_a_complete_trial_has_the_mean_of_its_folds(shared: Driver) -> None:
    study = shared()
    study.finish(run_folds(study, [0.3, 0.6, 0.9]))

    assert shared().study.trials[0].value == pytest.approx(0.6)
    assert shared().study.trials[0].intermediate_values == {0: 0.3, 1: 0.6, 2: 0.9}


def test_a_pooled_score_takes_the_place_of_the_mean(driver: Driver) -> None:
    study = driver()
    study.finish(run_folds(study, [0.3, 0.6, 0.9]), [0.55])

    study.finish(run_folds(study, [0.1, 0.1, 0.1]), [0.6])

    best = study.best()
    assert best is not None
    assert (best.number, best.value) == (0, 0.55)


def test_a_failed_trial_keeps_its_first_exception(shared: Driver) -> None:
    study = shared()
    study.finish(run_folds(study, [0.3]), failed=ValueError("loss is NaN"))

    stored = shared().study.trials[0]
    assert stored.state == TrialState.FAIL
    assert stored.user_attrs["error"] == "ValueError: loss is NaN"


def test_a_score_that_is_not_finite_is_a_failure(driver: Driver) -> None:
    study = driver()

    assert study.finish(run_folds(study, [0.1, float("nan"), 0.1])) == TrialState.FAIL
    assert study.finish(run_folds(study, [0.1, 0.1, 0.1]), [float("inf")]) == TrialState.FAIL


def test_a_metric_that_is_never_reported_is_a_failure(driver: Driver) -> None:
    study = driver()

    assert study.finish(run_folds(study, [])) == TrialState.FAIL
    assert study.study.trials[0].user_attrs["error"] == "only 0 of 3 folds told a value"


def test_two_objectives_keep_fold_values_and_never_prune(shared: Driver) -> None:
    goals = {"log_loss": "minimize", "seconds": "minimize"}
    study = shared(objectives=goals)
    study.finish(run_folds(study, [0.1, 0.1, 0.1]), [0.1, 5.0])
    trial = run_folds(study, [9.0, 9.0])

    assert not study.should_prune(trial)
    study.finish(trial, pruned=True)

    complete, pruned = shared(objectives=goals).study.trials
    assert complete.values == [0.1, 5.0]
    assert pruned.state == TrialState.PRUNED
    assert pruned.user_attrs["fold:1"]["value"] == 9.0
    best = study.best()
    assert best is not None
    assert best.number == 0


def test_a_fold_that_is_told_twice_counts_once(driver: Driver) -> None:
    study = driver()
    trial = run_folds(study, [0.3])
    study.report(trial, 0, 0.9)

    assert study.study.trials[0].intermediate_values == {0: 0.3}


def test_the_default_recipe_is_the_first_trial_and_never_twice(shared: Driver) -> None:
    study = shared()

    assert study.enqueue({"rho": 0.05}, "default recipe")
    assert not study.enqueue({"rho": 0.05}, "default recipe")
    first = study.ask()
    assert first is not None
    assert first.chosen == {"rho": 0.05}
    assert not shared().enqueue({"rho": 0.05}, "default recipe")
    study.finish(first, failed="it broke")
    assert not shared().enqueue({"rho": 0.05}, "default recipe")


def test_every_trial_of_one_moment_is_tried_elsewhere(driver: Driver) -> None:
    study = driver(sampler="random")
    points = [study.ask().chosen["rho"] for _ in range(8)]  # type: ignore[union-attr]

    assert len(set(points)) == 8


@pytest.mark.parametrize("sampler", ["random", "tpe"])
def test_a_resumed_study_goes_on_as_if_it_had_not_stopped(
    driver: Driver, tmp_path: Path, sampler: str
) -> None:
    def points(folder: str, drivers: int) -> list[float]:
        found = []
        for _ in range(drivers):
            study = driver(folder=tmp_path / folder, sampler=sampler)
            for _ in range(24 // drivers):
                trial = study.ask()
                assert trial is not None
                found.append(trial.chosen["rho"])
                for fold in range(3):
                    study.report(trial, fold, (found[-1] - 0.3) ** 2 + fold)
                study.finish(trial)
        return found

    assert points("whole", 1) == points("resumed", 4)


def test_an_orphan_is_adopted_with_its_number_its_parameters_and_its_folds(shared: Driver) -> None:
    dead = shared()
    lost = run_folds(dead, [0.3, 0.4])

    heir = shared()
    (found,) = heir.adopt(alone=True)

    assert (found.number, found.chosen, found.done) == (lost.number, lost.chosen, {0: 0.3, 1: 0.4})
    assert found.deaths == 1
    heir.report(found, 2, 0.5)
    assert heir.finish(found) == TrialState.COMPLETE
    assert [trial.state for trial in shared().study.trials] == [TrialState.COMPLETE]


def test_a_driver_that_died_between_storing_a_fold_and_telling_it_loses_no_fold(
    shared: Driver,
) -> None:
    study = shared()
    trial = study.ask()
    assert trial is not None
    fold = {"value": 0.3, "seconds": 1.0, "gpus": 0.0}
    trial.handle.set_user_attr("fold:0", fold)  # and then it died

    heir = shared()
    (adopted,) = heir.adopt(alone=True)
    assert adopted.done == {0: 0.3}
    for left in (1, 2):
        heir.report(adopted, left, 0.6)

    assert heir.finish(adopted) == TrialState.COMPLETE
    assert heir.study.trials[0].intermediate_values == {0: 0.3, 1: 0.6, 2: 0.6}


def test_the_second_death_of_a_trial_is_its_end(shared: Driver) -> None:
    run_folds(shared(), [0.3])
    assert len(shared().adopt(alone=True)) == 1

    assert shared().adopt(alone=True) == []

    stored = shared().study.trials[0]
    assert stored.state == TrialState.FAIL
    assert stored.intermediate_values == {0: 0.3}
    assert "died 2 times" in stored.user_attrs["error"]


def test_a_living_driver_keeps_its_trials_and_a_silent_one_loses_them(
    shared: Driver, clock: Clock
) -> None:
    first, second = shared(), shared()
    trial = run_folds(first, [0.3])
    clock.now += 119
    assert second.adopt() == []
    first.heartbeat()
    clock.now += 119
    assert second.adopt() == []
    clock.now += 2

    (found,) = second.adopt()

    assert found.number == trial.number
    with pytest.raises(LeaseLostError, match="trial 0: another driver"):
        first.report(trial, 1, 0.4)
    with pytest.raises(LeaseLostError):
        first.finish(trial, pruned=True)
    assert shared().adopt() == []


def test_a_released_trial_is_free_at_once_and_nobody_has_died(shared: Driver) -> None:
    for _ in range(3):
        study = shared()
        (trial,) = study.adopt() or [run_folds(study, [0.3])]
        study.release(trial)

    (found,) = shared().adopt()
    assert (found.number, found.deaths, found.done) == (0, 0, {0: 0.3})


def test_a_driver_does_not_adopt_its_own(driver: Driver) -> None:
    study = driver()
    run_folds(study, [])

    assert study.adopt(alone=True) == []


def test_a_driver_that_died_before_its_trial_had_parameters_leaves_a_whole_trial(
    driver: Driver,
) -> None:
    driver().study.ask()  # no parameters, no driver

    (found,) = driver().adopt()
    assert 0 <= found.chosen["rho"] <= 1


def test_the_error_of_a_suggestion_ends_its_trial(driver: Driver) -> None:
    def broken(trial: optuna.Trial) -> None:
        trial.suggest_float("rho", 0.0, 1.0)
        raise InputError("search.space", "is empty")

    study = driver(suggest=broken)
    with pytest.raises(InputError, match="is empty"):
        study.ask()

    assert study.study.trials[0].state == TrialState.FAIL


def test_a_study_whose_first_trials_all_fail_tells_the_first_error(driver: Driver) -> None:
    study = driver()
    for number in range(3):
        assert first_error(study.study.trials) is None
        study.finish(run_folds(study, []), failed=OSError(f"error {number}"))
    assert first_error(study.study.trials) == "OSError: error 0"

    study.finish(run_folds(study, [0.1, 0.1, 0.1]))
    assert first_error(study.study.trials) is None


def test_a_journal_with_another_study_is_refused(driver: Driver, tmp_path: Path) -> None:
    storage = open_storage(None, tmp_path / "study")
    optuna.create_study(storage=storage, study_name="else")

    with pytest.raises(InputError, match="holds the study 'else', not one of 'toy'"):
        driver()


def test_a_study_that_raymed_did_not_make_is_refused(driver: Driver, tmp_path: Path) -> None:
    optuna.create_study(storage=open_storage(None, tmp_path / "study"), study_name="toy").ask()

    with pytest.raises(InputError, match="is not of raymed"):
        driver()


def test_trials_end_with_the_budget(driver: Driver) -> None:
    study = driver(budget=Budget(trials=2))
    held = study.ask()
    assert held is not None
    study.finish(run_folds(study, []), failed="it broke")
    assert study.ask() is None

    assert driver(budget=Budget(trials=2)).ask() is None
    assert driver(budget=Budget(trials=3)).ask() is not None
