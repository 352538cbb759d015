"""Multinomial regression with many coefficients or very many rows, which are summed in parts."""

import numpy as np
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax

from raymed.ensemble.meta_learners.contract import Arrays
from raymed.ensemble.meta_learners.rows import Array, Labels, MetaRows, flattened

NEAR = 1e-4
"""How near the optimum the refinement ends, in standard errors of a coefficient."""


def refined(start: Arrays, some: MetaRows, rows: MetaRows, penalty: float) -> Arrays:
    """Minimise log loss + penalty / 2 |matrix|^2 over rows, from a start that is finite.

    L-BFGS in coordinates in which each class's block of the Hessian, estimated at the start on
    `some` rows, is the identity: members' log-probabilities are so alike that it takes thousands of
    steps without. Classes without a row get a bias of -infinity.
    """
    present = np.unique(rows.labels)
    # Two classes share one vector of coefficients in `Logistic`, which is penalised once.
    penalty *= 2 if len(present) == 2 else 1
    first = np.vstack([start["matrix"], start["bias"]])[:, present]
    target = np.searchsorted(present, rows.labels)
    scale = rows.weights.sum() / some.weights.sum()
    blocks = scale * _hessian(first, some) + penalty * np.eye(len(first))
    roots = np.linalg.inv(np.linalg.cholesky(blocks))

    def placed(steps: Array) -> Array:
        back = np.einsum("cij,ci->jc", roots, steps.reshape(len(present), -1))
        return np.asarray(first + back)

    def loss(steps: Array) -> tuple[float, Array]:
        weights = placed(steps)
        value, slope = penalty / 2 * float((weights[:-1] ** 2).sum()), penalty * weights
        slope[-1] = 0
        for part, logs in rows.parts():
            part_value, part_slope = _loss(_inputs(logs), weights, target[part], rows.weights[part])
            value, slope = value + part_value, slope + part_slope
        return value, np.einsum("cij,jc->ci", roots, slope).ravel()

    found = minimize(
        loss,
        np.zeros(first.size),
        jac=True,
        method="L-BFGS-B",
        options={"gtol": NEAR, "ftol": 0.0, "maxcor": 30},
    )
    weights = placed(found.x)
    matrix, bias = np.zeros(start["matrix"].shape), np.full(rows.classes, -np.inf)
    matrix[:, present], bias[present] = weights[:-1], weights[-1]
    return {"matrix": matrix, "bias": bias}


def _inputs(logs: Array) -> Array:
    """Flatten, and add a column of ones for the bias."""
    return np.pad(flattened(logs), ((0, 0), (0, 1)), constant_values=1.0)


def _loss(columns: Array, weights: Array, labels: Labels, shares: Array) -> tuple[float, Array]:
    """Sum the log loss of rows that weigh `shares`; with it its slope by weight."""
    logs, picked = log_softmax(columns @ weights, axis=1), np.arange(len(labels))
    slope = np.exp(logs) * shares[:, None]
    slope[picked, labels] -= shares
    return -float(shares @ logs[picked, labels]), columns.T @ slope


def _hessian(weights: Array, rows: MetaRows) -> Array:
    """Sum each class's block of the Hessian [classes, coefficients, coefficients]."""
    size, classes = weights.shape
    blocks = np.zeros((classes, size, size))
    for part, logs in rows.parts():
        columns = _inputs(logs)
        chances = softmax(columns @ weights, axis=1)
        curved = chances * (1 - chances) * rows.weights[part, None]
        for place in range(classes):
            blocks[place] += (columns * curved[:, [place]]).T @ columns
    return blocks
