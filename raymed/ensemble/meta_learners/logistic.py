"""Multinomial logistic regression on the members' log-probabilities, L2-regularised."""

from functools import partial

import numpy as np
from scipy.special import log_softmax, logsumexp
from sklearn.linear_model import LogisticRegression

from raymed.ensemble.meta_learners.contract import Arrays, Fit, Settings
from raymed.ensemble.meta_learners.inner import calibrated_on_unseen, some_patients
from raymed.ensemble.meta_learners.refinement import refined
from raymed.ensemble.meta_learners.rows import Array, MetaRows, flattened

NEWTON = 500
"""Up to so many coefficients scikit-learn's Newton method is exact and fast."""
AT_ONCE = 100_000
"""Up to so many rows it is given; more would have to stand in memory a second time."""


class Logistic:
    """Affine over log-probabilities; `matrix` is [members * classes, classes]."""

    def fit(self, rows: MetaRows, settings: Settings) -> Fit:
        """Fit, and calibrate on patients that were not fitted on."""
        fit = partial(_fit, penalty=settings.penalty)
        return calibrated_on_unseen(fit, self.combine, rows, settings)

    def combine(self, arrays: Arrays, logs: Array) -> Array:
        """Apply."""
        return np.asarray(log_softmax(flattened(logs) @ arrays["matrix"] + arrays["bias"], axis=1))

    def trust(self, arrays: Arrays, rows: MetaRows) -> Array:
        """Give each member's share of the absolute weights that lead to a class."""
        size = np.abs(arrays["matrix"]).reshape(rows.members, rows.classes, rows.classes)
        return shares(size.sum(axis=1))


def _fit(rows: MetaRows, penalty: float) -> Arrays:
    """Fit; a class without a row gets the bias of half a patient."""
    small = rows.members * rows.classes * len(np.unique(rows.labels)) <= NEWTON
    fit = _by_newton if small and len(rows.labels) <= AT_ONCE else _in_parts
    return _with_absent_classes(fit(rows, penalty), rows)


def _in_parts(rows: MetaRows, penalty: float) -> Arrays:
    """Fit to some rows, from zero; then to all of them, from there."""
    some = some_patients(rows, 0, AT_ONCE // 5)
    share = some.weights.sum() / rows.weights.sum()
    zero = np.zeros((rows.members * rows.classes, rows.classes))
    start = refined({"matrix": zero, "bias": np.zeros(rows.classes)}, some, some, penalty * share)
    if some is rows:
        return start
    return refined(_with_absent_classes(start, some), some, rows, penalty)


def _by_newton(rows: MetaRows, penalty: float) -> Arrays:
    flat, present = flattened(rows.logs), np.unique(rows.labels)
    matrix = np.zeros((flat.shape[1], rows.classes))
    bias = np.full(rows.classes, -np.inf)
    if len(present) > 1:
        model = LogisticRegression(
            C=1.0 / penalty, solver="newton-cholesky", max_iter=2000, tol=1e-6
        )
        model.fit(flat, rows.labels, sample_weight=rows.weights)
        binary = model.coef_.shape[0] == 1
        signs = np.array([[-0.5], [0.5]]) if binary else np.eye(len(present))
        matrix[:, present] = (signs @ model.coef_).T
        bias[present] = signs @ model.intercept_
    else:
        bias[present] = 0.0
    return {"matrix": matrix, "bias": bias}


def _with_absent_classes(arrays: Arrays, rows: MetaRows) -> Arrays:
    matrix, bias = arrays["matrix"], arrays["bias"].copy()
    absent = np.isinf(bias)
    if absent.any():
        scores = rows.combined(lambda logs: logsumexp(flattened(logs) @ matrix + bias, axis=1))
        level = np.average(scores, weights=rows.weights)
        bias[absent] = level + np.log(0.5 / rows.weights.sum())
    return {"matrix": matrix, "bias": bias}


def shares(size: Array) -> Array:
    """Make each column [members, classes] sum to 1, equally where it is all zero."""
    total = size.sum(axis=0)
    equal = np.full_like(size, 1 / len(size))
    return np.where(total > 0, size / np.where(total > 0, total, 1), equal)
