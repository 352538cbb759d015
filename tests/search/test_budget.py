"""A budget is of the study, not of a session: what is stored has been spent."""

from collections.abc import Callable

import pytest

from raymed.search import Budget, SharedStudy, Spent
from tests.search.conftest import Clock

Driver = Callable[..., SharedStudy]


@pytest.mark.parametrize(
    ("budget", "spent"),
    [
        (Budget(), None),
        (Budget(trials=5), None),
        (Budget(trials=4), "trials"),
        (Budget(hours=2.5), None),
        (Budget(hours=2.0), "hours"),
        (Budget(gpu_hours=9.0), None),
        (Budget(gpu_hours=8.0), "gpu_hours"),
    ],
)
def test_what_is_spent_is_named(budget: Budget, spent: str | None) -> None:
    assert budget.exhausted(Spent(trials=4, hours=2.0, gpu_hours=8.0)) == spent


def test_hours_without_a_living_driver_cost_nothing(driver: Driver, clock: Clock) -> None:
    first = driver(budget=Budget(hours=1.0))
    assert first.ask() is not None
    clock.now += 1800
    first.heartbeat()
    clock.now += 100_000

    second = driver(budget=Budget(hours=1.0))
    second.heartbeat()
    assert second.spent().hours == pytest.approx(0.5)
    assert second.ask() is not None
    clock.now += 1800

    assert second.ask() is None


def test_two_drivers_at_once_spend_an_hour_once(driver: Driver, clock: Clock) -> None:
    first, second = driver(), driver()
    clock.now += 3600
    first.heartbeat()
    second.heartbeat()

    assert first.spent().hours == pytest.approx(1.0)


def test_gpu_hours_are_those_of_the_folds_told_in_all_sessions(driver: Driver) -> None:
    study = driver(budget=Budget(gpu_hours=3.0))
    trial = study.ask()
    assert trial is not None
    study.report(trial, 0, 0.5, seconds=3600, gpus=2)
    assert study.ask() is not None
    study.finish(trial, pruned=True)

    study = driver(budget=Budget(gpu_hours=3.0))
    (orphan,) = study.adopt(alone=True)
    study.report(orphan, 0, 0.5, seconds=7200, gpus=0.5)

    assert study.spent().gpu_hours == pytest.approx(3.0)
    assert study.ask() is None


def test_waiting_points_are_not_spent_and_failed_trials_are(driver: Driver) -> None:
    study = driver(budget=Budget(trials=2))
    for rho in (0.1, 0.2, 0.3):
        study.enqueue({"rho": rho}, "warm start")
    assert study.spent().trials == 0
    first, second = study.ask(), study.ask()
    assert first is not None
    assert second is not None
    study.finish(first, failed="it broke")

    assert study.spent().trials == 2
    assert study.ask() is None
