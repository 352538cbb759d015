"""Calibration of log-probabilities on out-of-fold rows: one temperature, or a scale a class.

Images and patients want different ones: the mean over a patient's images is less sure than they
are, and what calibrates each of them makes that mean too timid.
"""

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax, softmax

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
_BOUNDS = (np.log(0.05), np.log(20.0))
_PENALTY = 0.01
_TINY = 1e-300


@dataclass(frozen=True)
class Calibration:
    """softmax(scale * log p + bias): `scale` and `bias` are [1] or [classes].

    One scale, the inverse of a temperature, never changes the most probable class (Guo et al. 2017,
    arXiv 1706.04599). Vector scaling, a scale and a bias for each class, may.
    """

    scale: Array = field(default_factory=lambda: np.ones(1))
    bias: Array = field(default_factory=lambda: np.zeros(1))

    def apply(self, log_scores: Array) -> Array:
        """Turn log-probabilities [n, classes] into calibrated probabilities."""
        return np.asarray(softmax(log_scores * self.scale + self.bias, axis=1))

    @property
    def temperature(self) -> float:
        """The temperature; of vector scaling the geometric mean over classes."""
        return float(np.exp(-np.log(self.scale).mean()))


NONE = Calibration()


def fit_calibration(
    kind: Literal["temperature", "vector", "none"],
    log_scores: Array,
    labels: Labels,
    weights: Array,
    groups: Labels | None = None,
) -> Calibration:
    """Fit on log-probabilities [n, classes] with labels and weights [n].

    With `groups` [n] those of a group, numbered from 0, are averaged before they count: the images
    of a patient that have one label.
    """
    if kind == "none":
        return NONE
    temperature = fit_temperature(log_scores, labels, weights, groups)
    if kind == "temperature":
        return Calibration(np.array([1 / temperature]))
    return _fit_vector(log_scores, labels, weights, groups, 1 / temperature)


def averaged_loss(
    logs: Array, labels: Labels, weights: Array, groups: Labels | None = None
) -> tuple[float, Array]:
    """Give the weighted log loss, in nats, of log-probabilities [n, classes]; of groups' means.

    The second is the share [n] with which each row's own slope counts in that of the loss.
    """
    own = logs[np.arange(len(labels)), labels]
    if groups is None:
        shares = weights / weights.sum()
        return -float(shares @ own), shares
    likelihood = np.exp(own)
    sums = np.maximum(np.bincount(groups, likelihood), _TINY)
    share = np.bincount(groups, weights) / weights.sum()
    value = -float(share @ np.log(sums / np.bincount(groups)))
    return value, np.asarray((share / sums)[groups] * likelihood)


def fit_temperature(
    log_scores: Array, labels: Labels, weights: Array, groups: Labels | None = None
) -> float:
    """Return the temperature in 0.05..20 with the least weighted log loss (`fit_calibration`)."""

    def loss(log_temperature: float) -> float:
        logs = log_softmax(log_scores / np.exp(log_temperature), axis=1)
        return averaged_loss(logs, labels, weights, groups)[0]

    return float(np.exp(minimize_scalar(loss, bounds=_BOUNDS, method="bounded").x))


def _fit_vector(
    log_scores: Array, labels: Labels, weights: Array, groups: Labels | None, scale: float
) -> Calibration:
    """Start at the temperature; deviations from it cost `_PENALTY` a squared unit."""
    classes = log_scores.shape[1]
    rows = np.arange(len(labels))

    def loss(flat: Array) -> tuple[float, Any]:
        scales, bias = scale * np.exp(flat[:classes]), flat[classes:]
        logs = log_softmax(log_scores * scales + bias, axis=1)
        value, share = averaged_loss(logs, labels, weights, groups)
        slope = np.exp(logs) * share[:, None]
        slope[rows, labels] -= share
        by_scale = (slope * log_scores * scales).sum(axis=0)
        value += _PENALTY * float(flat @ flat)
        return value, np.concatenate([by_scale, slope.sum(axis=0)]) + 2 * _PENALTY * flat

    bounds = [(-3.0, 3.0)] * classes + [(-10.0, 10.0)] * classes
    found = minimize(loss, np.zeros(2 * classes), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(scale * np.exp(found[:classes]), found[classes:])
