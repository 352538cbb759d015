"""What an earlier study found, for a new one to try early."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from optuna.distributions import BaseDistribution
from optuna.trial import TrialState

from raymed.errors import InputError
from raymed.runs import RunFolder
from raymed.search import Space, distributions_of, read_snapshot

Point = Mapping[str, Any]
BEST = 5
"""How many of an earlier study's trials are tried."""


def best_points(path: Path | str) -> list[Point]:
    """Read the parameters of the best trials of another run's study, best first.

    Raises `InputError` where the run has no study with a complete trial.
    """
    study = read_snapshot(RunFolder.existing(path).trials_file)
    if study is None:
        raise InputError(str(path), "has no study to start from", "name a run of raymed tune")
    trials = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if not trials:
        raise InputError(str(path), "its study has no complete trial", "tune there first")
    return [trial.params for trial in sorted(trials, key=lambda each: each.values[0])[:BEST]]


def within(space: Space, point: Point) -> dict[str, Any]:
    """Keep of a point what a space can give; the rest is left to the sampler."""
    return {
        name: point[name]
        for name, distribution in distributions_of(space).items()
        if name in point and _holds(distribution, point[name])
    }


def _holds(distribution: BaseDistribution, value: Any) -> bool:
    try:
        return bool(distribution._contains(distribution.to_internal_repr(value)))
    except ValueError:  # a choice that is none of these, words in the place of a number
        return False
