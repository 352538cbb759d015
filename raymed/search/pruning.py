"""Pruners: which trials are not worth another fold. A step is a fold, a value that fold's alone."""

import warnings
from typing import Literal

import numpy as np
from optuna import Study
from optuna.exceptions import ExperimentalWarning
from optuna.pruners import BasePruner, NopPruner, WilcoxonPruner
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

Pruner = Literal["wilcoxon", "median", "paired", "none"]
WILCOXON_P = 0.2
"""Of 0.1, 0.2 and 0.3 the one that saved a quarter of the folds and lost no best trial."""


def fold_order(seed: int, number: int, folds: int) -> list[int]:
    """Shuffle the folds by trial, so that no fold is always the one that decides."""
    return [int(fold) for fold in np.random.default_rng([seed, number]).permutation(folds)]


class MedianOfMeans(BasePruner):
    """Prunes a trial whose mean so far is worse than the median of the others' on the same folds.

    Others are the complete trials: pruned ones would make a low bar. `warm_up` folds pass first,
    and so do trials while fewer than `startup` others are complete.
    """

    def __init__(self, warm_up: int = 1, startup: int = 4) -> None:
        self._warm_up, self._startup = warm_up, startup

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Compare means over the very folds that the trial has finished."""
        own = trial.intermediate_values
        if len(own) <= self._warm_up:
            return False
        means = [
            float(np.mean([other.intermediate_values[fold] for fold in own]))
            for other in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if own.keys() <= other.intermediate_values.keys()
        ]
        if len(means) < self._startup:
            return False
        excess = float(np.mean(list(own.values()))) - float(np.median(means))
        return excess > 0 if study.direction == StudyDirection.MINIMIZE else excess < 0


def make_pruner(kind: Pruner) -> BasePruner:
    """Make the pruner of folds.

    `paired` is no pruner of Optuna's: it needs predictions, see `worse_by_patient`.
    """
    if kind == "median":
        return MedianOfMeans()
    if kind == "wilcoxon":
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)  # since Optuna 3.6
            return WilcoxonPruner(p_threshold=WILCOXON_P)
    return NopPruner()
