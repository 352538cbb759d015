"""Opens a study: new, or the one that is there if it is of the same experiment."""

import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.pruners import BasePruner
from optuna.storages import BaseStorage
from optuna.trial import BaseTrial

from raymed.errors import InputError
from raymed.search.budget import Budget
from raymed.search.halving import Halving
from raymed.search.identity import Identity
from raymed.search.locks import study_lock
from raymed.search.pruning import Pruner, make_pruner
from raymed.search.sampling import Sampler, refuse_unfit_sampler
from raymed.search.storage import PLACE, is_journal
from raymed.search.study import SharedStudy

IDENTITY = "identity"
TOKEN = "token"
"""A study's attribute: a word that no other study has, by which other tools know it."""
Direction = Literal["minimize", "maximize"]
LOG_LOSS: Mapping[str, Direction] = {"log_loss": "minimize"}


def open_study(
    storage: BaseStorage,
    folder: Path,
    name: str,
    identity: Identity,
    suggest: Callable[[BaseTrial], Any],
    *,
    folds: int,
    objectives: Mapping[str, Direction] = LOG_LOSS,
    budget: Budget | None = None,
    sampler: Sampler = "tpe",
    pruner: Pruner = "none",
    halving: Halving | None = None,
    plain: bool = False,
    clock: Callable[[], float] = time.time,
) -> SharedStudy:
    """Open the study `name` of one experiment; budget, sampler and pruner may change in between.

    `objectives` are one or two names, each with its direction; `plain` is whether every parameter
    is a number and there in every trial. Raises `InputError` where the storage holds a study of
    another experiment, naming what differs.
    """
    refuse_unfit_sampler(sampler, len(objectives), plain)
    wanted = ", ".join(f"{direction} {metric}" for metric, direction in objectives.items())
    identity = replace(identity, objectives=wanted)
    place = str(folder) if is_journal(storage) else PLACE
    if is_journal(storage):
        _refuse_other_name(storage, name, place)
    study = _stored(storage, name, list(objectives.values()), make_pruner(pruner))
    with study_lock(storage, name, folder):
        token = _claim(study, identity, place)
    return SharedStudy(
        study=study,
        storage=storage,
        folder=folder,
        suggest=suggest,
        seed=identity.seed,
        folds=folds,
        started=clock(),
        budget=budget or Budget(),
        sampler=sampler,
        halving=halving,
        clock=clock,
        token=token,
    )


def _stored(
    storage: BaseStorage,
    name: str,
    directions: list[Direction],
    pruner: BasePruner,
) -> optuna.Study:
    """Give the study of a name, a new one where there is none."""
    optuna.logging.set_verbosity(optuna.logging.WARNING)  # it prints what is no news here
    return optuna.create_study(
        storage=storage,
        study_name=name,
        directions=directions,
        pruner=pruner,
        load_if_exists=True,
    )


def _claim(study: optuna.Study, identity: Identity, place: str) -> str:
    """Mark a new study as this experiment's; refuse one that is another's, or not of raymed.

    Returns the study's token, which no other study has.
    """
    found = study.user_attrs.get(IDENTITY)
    if found is not None:
        identity.refuse_other(found, place)
    elif study.get_trials(deepcopy=False):
        fault = f"the study {study.study_name!r} is not of raymed"
        raise InputError(place, fault, "give the experiment another name")
    else:
        study.set_user_attr(IDENTITY, identity.facts())
    token = str(study.user_attrs.get(TOKEN) or uuid.uuid4().hex)
    study.set_user_attr(TOKEN, token)
    return token


def _refuse_other_name(storage: BaseStorage, name: str, place: str) -> None:
    others = [found for found in optuna.get_all_study_names(storage) if found != name]
    if others:
        raise InputError(
            place,
            f"holds the study {others[0]!r}, not one of {name!r}",
            "give the experiment another folder",
        )
