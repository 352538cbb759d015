"""What an earlier study found, for a new one to try early."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.trial import TrialState

from raymed.errors import InputError
from raymed.runs import RunFolder
from raymed.search import Space, distributions_of, open_storage

Point = Mapping[str, Any]
BEST = 5
"""How many of an earlier study's trials are tried."""


def best_points(path: Path | str) -> list[Point]:
    """Read the parameters of the best trials of another run's study, best first.

    Raises `InputError` where the run has no study with a complete trial.
    """
    run = RunFolder.existing(path)
    search = run.experiment().search
    url = None if search is None else search.storage
    if url is None and not run.study_folder.is_dir():
        raise InputError(str(path), "has no study to start from", "name a run of raymed tune")
    storage = open_storage(url, run.study_folder)
    names = optuna.get_all_study_names(storage)
    trials = [
        trial
        for name in names
        if name == run.experiment().name
        for trial in optuna.load_study(study_name=name, storage=storage).get_trials(
            deepcopy=False, states=(TrialState.COMPLETE,)
        )
    ]
    if not trials:
        raise InputError(str(path), "its study has no complete trial", "tune there first")
    return [trial.params for trial in sorted(trials, key=lambda each: each.values[0])[:BEST]]


def within(space: Space, point: Point) -> dict[str, Any]:
    """Keep of a point what a space can give; the rest is left to the sampler."""
    return {
        name: point[name]
        for name, distribution in distributions_of(space).items()
        if name in point and distribution._contains(distribution.to_internal_repr(point[name]))
    }
