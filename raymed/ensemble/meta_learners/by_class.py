"""Weights by member and class: whom to trust with which class."""

from functools import partial

import numpy as np
from scipy.optimize import minimize
from scipy.special import logsumexp, softmax

from raymed.ensemble.meta_learners.contract import Arrays, Fit, Settings
from raymed.ensemble.meta_learners.inner import calibrated_on_unseen
from raymed.ensemble.meta_learners.rows import Array, Labels, MetaRows


class ByClass:
    """p(c) in proportion to sum over members of w[m, c] p_m(c); each class's weights sum to 1."""

    def fit(self, rows: MetaRows, settings: Settings) -> Fit:
        """Fit, and calibrate on patients that were not fitted on."""
        fit = partial(_fit, penalty=settings.penalty)
        return calibrated_on_unseen(fit, self.combine, rows, settings)

    def combine(self, arrays: Arrays, logs: Array) -> Array:
        """Weigh and normalise."""
        scores = logsumexp(logs, b=np.maximum(arrays["weights"], 1e-12)[None], axis=1)
        return np.asarray(scores - logsumexp(scores, axis=1, keepdims=True))

    def trust(self, arrays: Arrays, rows: MetaRows) -> Array:
        """Give the weights."""
        return arrays["weights"]


def _fit(rows: MetaRows, penalty: float) -> Arrays:
    """Minimise the log loss over w = softmax(a), with penalty / 2 |a|^2, from equal weights."""
    shape = rows.members, rows.classes

    def loss(flat: Array) -> tuple[float, Array]:
        weights = softmax(flat.reshape(shape), axis=0)
        value, by_weight = 0.0, np.zeros(shape)
        for part, logs in rows.parts():
            part_value, part_slope = _loss(
                np.exp(logs), weights, rows.labels[part], rows.weights[part]
            )
            value, by_weight = value + part_value, by_weight + part_slope
        by_score = weights * (by_weight - (weights * by_weight).sum(axis=0))
        value += penalty / 2 * float(flat @ flat)
        return value, by_score.ravel() + penalty * flat

    found = minimize(loss, np.zeros(shape[0] * shape[1]), jac=True, method="L-BFGS-B")
    return {"weights": np.asarray(softmax(found.x.reshape(shape), axis=0))}


def _loss(own: Array, weights: Array, labels: Labels, shares: Array) -> tuple[float, Array]:
    """Sum the log loss of rows that weigh `shares`; with it its slope by weight."""
    picked = np.arange(len(labels))
    scores = np.maximum(np.einsum("nmc,mc->nc", own, weights), 1e-300)
    total = scores.sum(axis=1)
    value = -(shares * (np.log(scores[picked, labels]) - np.log(total))).sum()
    slope = np.tile((shares / total)[:, None], (1, scores.shape[1]))
    slope[picked, labels] -= shares / scores[picked, labels]
    return float(value), np.einsum("nmc,nc->mc", own, slope)
