"""A study as plain JSON, so that a report needs neither its journal nor its database."""

import math
from datetime import datetime
from pathlib import Path
from typing import Any

import optuna
from optuna.distributions import distribution_to_json, json_to_distribution
from optuna.trial import FrozenTrial, TrialState

from raymed.files import read_json, write_json
from raymed.search.budget import EPOCHS
from raymed.search.halving import EpochCurve
from raymed.search.trials import ERROR, epoch_curves, fold_values

SCHEMA = 1


def write_snapshot(study: optuna.Study, file: Path) -> None:
    """Write down every trial that has begun: state, values, parameters, folds, epochs, times."""
    trials = study.get_trials(deepcopy=False)
    write_json(
        file,
        {
            "schema": SCHEMA,
            "directions": [direction.name.lower() for direction in study.directions],
            "trials": [_facts(each) for each in trials if each.state != TrialState.WAITING],
        },
    )


def read_snapshot(file: Path) -> optuna.Study | None:
    """Read a study back, in memory; None where there is none, or of another version."""
    if not file.is_file():
        return None
    found = read_json(file)
    if found.get("schema") != SCHEMA:
        return None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(directions=found["directions"])
    study.add_trials([_trial(facts) for facts in found["trials"]])
    return study


def _facts(trial: FrozenTrial) -> dict[str, Any]:
    return {
        "number": trial.number,
        "state": trial.state.name,
        "values": trial.values,
        "params": trial.params,
        "distributions": {
            name: distribution_to_json(each) for name, each in trial.distributions.items()
        },
        "folds": {str(fold): value for fold, value in fold_values(trial).items()},
        "epochs": {str(fold): _curve(curve) for fold, curve in epoch_curves(trial).items()},
        "error": trial.user_attrs.get(ERROR),
        "started": _stamp(trial.datetime_start),
        "ended": _stamp(trial.datetime_complete),
    }


def _curve(curve: EpochCurve) -> dict[str, Any]:
    """Write a fold's epochs; a value that is not finite is no JSON, and null."""
    values = [value if math.isfinite(value) else None for value in curve.values]
    return {"values": values, "of": curve.of}


def _trial(facts: dict[str, Any]) -> FrozenTrial:
    told = {f"{EPOCHS}{fold}": curve for fold, curve in facts.get("epochs", {}).items()}
    for curve in told.values():
        curve["values"] = [math.nan if value is None else value for value in curve["values"]]
    return FrozenTrial(
        number=facts["number"],
        trial_id=facts["number"],
        state=TrialState[facts["state"]],
        value=None,
        values=facts["values"],
        params=facts["params"],
        distributions={
            name: json_to_distribution(each) for name, each in facts["distributions"].items()
        },
        intermediate_values={int(fold): value for fold, value in facts["folds"].items()},
        user_attrs=told if facts["error"] is None else {**told, ERROR: facts["error"]},
        system_attrs={},
        datetime_start=_time(facts["started"]),
        datetime_complete=_time(facts["ended"]),
    )


def _stamp(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()


def _time(stamp: str | None) -> datetime | None:
    return None if stamp is None else datetime.fromisoformat(stamp)
