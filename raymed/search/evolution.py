"""CMA-ES whose state is the study: nothing of it is stored, and so nothing is unpickled."""

from typing import Any

import numpy as np
from cmaes import CMA
from optuna import Study
from optuna._transform import _SearchSpaceTransform
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.search_space import intersection_search_space
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

SIGMA = 1 / 6
"""The first step, as a share of each range: Optuna's own."""


class CmaEsReplayed(BaseSampler):
    """CMA-ES (Hansen 2016) over the ranges, in logarithms where a range is one.

    Optuna's sampler keeps its state in the storage as a pickle. This one tells a new CMA-ES of the
    complete trials, a population at a time in the order of their numbers, and asks it for one more
    point with a seed of its own. It begins in the middle of the space.
    """

    def __init__(self, seed: int) -> None:
        self._seed, self._alone = seed, RandomSampler(seed=seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Give the ranges that every complete trial has; none while there is no trial."""
        complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        shared = intersection_search_space(complete)
        return {name: each for name, each in shared.items() if not each.single()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """Draw a point of all ranges at once."""
        if len(search_space) < 2:
            return {}
        inside = _SearchSpaceTransform(search_space, transform_0_1=True)
        strategy = CMA(np.full(len(search_space), 0.5), SIGMA, inside.bounds, seed=self._seed)
        sign = 1 if study.direction == StudyDirection.MINIMIZE else -1
        told = [
            (inside.transform({name: each.params[name] for name in search_space}), sign * value)
            for each in study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
            if (value := each.value) is not None
        ]
        size = strategy.population_size
        for first in range(0, len(told) - size + 1, size):
            strategy.tell(told[first : first + size])
        strategy.reseed_rng(self._seed)
        return inside.untransform(strategy.ask())

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """Draw one parameter at random, while there is nothing to learn from."""
        return self._alone.sample_independent(study, trial, param_name, param_distribution)
