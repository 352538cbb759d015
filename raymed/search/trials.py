"""`Trial`: one recipe that is tried, in the hands of one driver; and what is stored of it."""

from dataclasses import dataclass, field
from typing import Any

import optuna
from optuna.trial import FrozenTrial

from raymed.search.budget import EPOCHS, FOLD
from raymed.search.halving import EpochCurve

ERROR = "error"
ORIGIN = "origin"
"""A trial's attribute: where its point comes from, if not from the sampler."""
AS_IT_STANDS = "recipe"
"""The origin of the point that changes nothing."""
ERROR_LENGTH = 4000


@dataclass(frozen=True)
class Trial:
    """A trial to run: its number, what `suggest` made of its parameters, the folds it has done.

    `done` is each finished fold's value, from drivers that died; `deaths` is how many did.
    """

    number: int
    chosen: Any
    done: dict[int, float]
    deaths: int
    handle: optuna.Trial = field(repr=False, compare=False)


def stored(trial: Trial) -> FrozenTrial:
    """Read a trial as it is stored now."""
    return trial.handle.storage.get_trial(trial.handle._trial_id)


def is_as_it_stands(frozen: FrozenTrial) -> bool:
    """Tell whether a trial is the recipe as it stands, which the others are held against."""
    return bool(frozen.user_attrs.get(ORIGIN) == AS_IT_STANDS)


def fold_values(frozen: FrozenTrial) -> dict[int, float]:
    """Give each finished fold's value, also where Optuna takes no intermediate values.

    A driver may have died after it stored the fold and before it told Optuna.
    """
    own = {
        int(key.removeprefix(FOLD)): float(value["value"])
        for key, value in frozen.user_attrs.items()
        if key.startswith(FOLD)
    }
    return own | dict(frozen.intermediate_values)


def fold_seconds(frozen: FrozenTrial) -> dict[int, float]:
    """Give each finished fold's seconds of training."""
    return {
        int(key.removeprefix(FOLD)): float(value["seconds"])
        for key, value in frozen.user_attrs.items()
        if key.startswith(FOLD)
    }


def error_of(frozen: FrozenTrial) -> str:
    """Say why a trial failed; nothing where it did not."""
    return str(frozen.user_attrs.get(ERROR, ""))


def epoch_curve(frozen: FrozenTrial, fold: int) -> EpochCurve | None:
    """Give the values of a fold's epochs so far."""
    found = frozen.user_attrs.get(f"{EPOCHS}{fold}")
    return None if found is None else EpochCurve(tuple(found["values"]), int(found["of"]))


def epoch_curves(frozen: FrozenTrial) -> dict[int, EpochCurve]:
    """Give the values of the epochs of every fold that told any."""
    folds = [int(key.removeprefix(EPOCHS)) for key in frozen.user_attrs if key.startswith(EPOCHS)]
    curves = {fold: epoch_curve(frozen, fold) for fold in sorted(folds)}
    return {fold: curve for fold, curve in curves.items() if curve is not None}


def describe_error(error: BaseException | str) -> str:
    """Write an exception in a line or a few, as it is stored."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    return text[:ERROR_LENGTH]
