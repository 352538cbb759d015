"""Majority vote: a row to stand beside, never chosen."""

from functools import partial

import numpy as np
from scipy.special import log_softmax

from raymed.ensemble.meta_learners.contract import Arrays, Fit, Settings
from raymed.ensemble.meta_learners.rows import FLOOR, Array, MetaRows


class Majority:
    """Each member has one vote; the mean probability decides between equals."""

    def fit(self, rows: MetaRows, settings: Settings) -> Fit:
        """Count the members: there is nothing to fit."""
        arrays = {"weights": np.full(rows.members, 1 / rows.members)}
        return Fit(arrays, rows.combined(partial(self.combine, arrays)), rows)

    def combine(self, arrays: Arrays, logs: Array) -> Array:
        """Give the shares of the votes, with a touch of the mean probability."""
        votes = np.eye(logs.shape[2])[logs.argmax(axis=2)].mean(axis=1)
        decided = votes + 1e-3 / logs.shape[1] * np.exp(logs).mean(axis=1)
        return np.asarray(log_softmax(np.log(np.maximum(decided, FLOOR)), axis=1))

    def trust(self, arrays: Arrays, rows: MetaRows) -> Array:
        """Give the weights, for every class the same."""
        return np.tile(arrays["weights"][:, None], (1, rows.classes))
