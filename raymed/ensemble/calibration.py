"""Calibration of log-probabilities on out-of-fold rows: one temperature, or a scale a class."""

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
) -> Calibration:
    """Fit on log-probabilities [n, classes] with labels and weights [n]."""
    if kind == "none":
        return NONE
    temperature = fit_temperature(log_scores, labels, weights)
    if kind == "temperature":
        return Calibration(np.array([1 / temperature]))
    return _fit_vector(log_scores, labels, weights, 1 / temperature)


def fit_temperature(log_scores: Array, labels: Labels, weights: Array) -> float:
    """Return the temperature in 0.05..20 with the least weighted log loss."""

    def loss(log_temperature: float) -> float:
        logs = log_softmax(log_scores / np.exp(log_temperature), axis=1)
        return float(-(weights * logs[np.arange(len(labels)), labels]).sum() / weights.sum())

    return float(np.exp(minimize_scalar(loss, bounds=_BOUNDS, method="bounded").x))


def _fit_vector(log_scores: Array, labels: Labels, weights: Array, scale: float) -> Calibration:
    """Start at the temperature; deviations from it cost `_PENALTY` a squared unit."""
    classes = log_scores.shape[1]
    rows, share = np.arange(len(labels)), weights / weights.sum()

    def loss(flat: Array) -> tuple[float, Any]:
        scales, bias = scale * np.exp(flat[:classes]), flat[classes:]
        logs = log_softmax(log_scores * scales + bias, axis=1)
        slope = np.exp(logs) * share[:, None]
        slope[rows, labels] -= share
        by_scale = (slope * log_scores * scales).sum(axis=0)
        value = -(share * logs[rows, labels]).sum() + _PENALTY * float(flat @ flat)
        return value, np.concatenate([by_scale, slope.sum(axis=0)]) + 2 * _PENALTY * flat

    bounds = [(-3.0, 3.0)] * classes + [(-10.0, 10.0)] * classes
    found = minimize(loss, np.zeros(2 * classes), jac=True, method="L-BFGS-B", bounds=bounds).x
    return Calibration(scale * np.exp(found[:classes]), found[classes:])
