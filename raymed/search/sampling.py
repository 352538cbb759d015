"""Samplers: where the next trial is tried. One a trial, with a seed of its own."""

import warnings
from typing import Literal

import numpy as np
from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, RandomSampler, TPESampler

from raymed.errors import InputError
from raymed.search.evolution import CmaEsReplayed

Sampler = Literal["tpe", "random", "cmaes"]
PLACE = "search.sampler"


def trial_seed(seed: int, number: int) -> int:
    """Derive a trial's seed from the study's seed and the trial's number.

    In a study of one trial at a time the number is how many trials are finished; of several at a
    time each has its own, so that none repeats another. A resumed study continues alike.
    """
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def make_sampler(kind: Sampler, seed: int) -> BaseSampler:
    """Make a sampler that has seen nothing yet: all it knows it reads from the study."""
    if kind == "random":
        return RandomSampler(seed=seed)
    if kind == "cmaes":
        return CmaEsReplayed(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)  # `group`, since Optuna 2.8
        return TPESampler(seed=seed, multivariate=True, group=True, constant_liar=True)


def refuse_unfit_sampler(kind: Sampler, objectives: int, plain: bool) -> None:
    """Raise `InputError` where CMA-ES cannot search.

    `plain`: every parameter is a number, and there in every trial.
    """
    if kind != "cmaes":
        return
    remedy = "choose tpe or random"
    if objectives > 1:
        raise InputError(PLACE, "cmaes has one objective", remedy)
    if not plain:
        raise InputError(PLACE, "cmaes searches no choices and no conditional parts", remedy)
