"""Budgets: how much a study may cost, and how much it has, all its sessions together."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from optuna import Study
from optuna.trial import FrozenTrial, TrialState

DRIVER = "driver:"
"""Prefix of a study's attributes: a driver's first and last sign of life, in seconds since 1970."""
FOLD = "fold:"
"""Prefix of a trial's attributes: a fold's value, seconds and GPUs."""


@dataclass(frozen=True)
class Spent:
    """What a study has cost: trials begun, hours of wall time with a driver, hours of GPUs."""

    trials: int
    hours: float
    gpu_hours: float


@dataclass(frozen=True)
class Budget:
    """What a study may cost; None: as much as it likes. Folds that run when it ends are finished.

    Trials count whatever became of them.
    """

    trials: int | None = None
    hours: float | None = None
    gpu_hours: float | None = None

    def exhausted(self, spent: Spent) -> str | None:
        """Name the part of the budget that is spent, or None."""
        if self.trials is not None and spent.trials >= self.trials:
            return "trials"
        if self.hours is not None and spent.hours >= self.hours:
            return "hours"
        if self.gpu_hours is not None and spent.gpu_hours >= self.gpu_hours:
            return "gpu_hours"
        return None


def spent_by(study: Study) -> Spent:
    """Add up what is stored, so that a resumed study goes on with its budget.

    Time without a living driver costs nothing; of several drivers at once it counts once.
    """
    trials = study.get_trials(deepcopy=False)
    return Spent(
        sum(trial.state != TrialState.WAITING for trial in trials),
        _covered(drivers(study).values()) / 3600,
        sum(_gpu_seconds(trial) for trial in trials) / 3600,
    )


def drivers(study: Study) -> dict[str, tuple[float, float]]:
    """Give each driver's first and last sign of life."""
    return {
        key.removeprefix(DRIVER): (float(value[0]), float(value[1]))
        for key, value in study.user_attrs.items()
        if key.startswith(DRIVER)
    }


def first_error(trials: Sequence[FrozenTrial], after: int = 3) -> str | None:
    """Give the first failure if the first `after` finished trials, or more, all failed."""
    finished = [trial for trial in trials if trial.state.is_finished()]
    if len(finished) < after or any(trial.state != TrialState.FAIL for trial in finished):
        return None
    return str(finished[0].user_attrs.get("error", "it is not told why"))


def fold_seconds(trial: FrozenTrial) -> float:
    """Add up the seconds of a trial's finished folds."""
    return sum(float(fold["seconds"]) for fold in _folds(trial))


def _gpu_seconds(trial: FrozenTrial) -> float:
    return sum(float(fold["seconds"]) * float(fold["gpus"]) for fold in _folds(trial))


def _folds(trial: FrozenTrial) -> list[dict[str, Any]]:
    return [value for key, value in trial.user_attrs.items() if key.startswith(FOLD)]


def _covered(spans: Iterable[tuple[float, float]]) -> float:
    """Give the length of the union of spans."""
    total, reached = 0.0, float("-inf")
    for start, end in sorted(spans):
        total += max(0.0, end - max(start, reached))
        reached = max(reached, end)
    return total
