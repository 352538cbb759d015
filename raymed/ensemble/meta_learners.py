"""Meta-learners: from the members' probabilities to one distribution.

Every one is fitted on out-of-fold rows in which each patient weighs the same, and ends in a
temperature (Guo et al. 2017, arXiv 1706.04599), which never changes the predicted class.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, softmax
from sklearn.linear_model import LogisticRegression

Array = npt.NDArray[np.float64]
Labels = npt.NDArray[np.int64]
_FLOOR = 1e-6


@dataclass(frozen=True)
class MetaLearner:
    """A fitted meta-learner: affine over log-probabilities, or a weighted mean.

    `weights` is [members] for the mean and [members * classes, classes] for the logistic one.
    """

    kind: str
    weights: Array
    bias: Array
    temperature: float = 1.0

    def log_scores(self, logits: npt.NDArray[np.floating[Any]]) -> Array:
        """Combine member logits [n, members, classes] to log-probabilities before temperature."""
        logs = log_softmax(np.asarray(logits, dtype=np.float64), axis=2)
        if self.kind == "mean":
            kept = self.weights > 0
            mean = logsumexp(logs[:, kept], b=self.weights[kept][None, :, None], axis=1)
            return np.asarray(mean)
        flat = np.clip(logs, np.log(_FLOOR), None).reshape(len(logs), -1)
        return np.asarray(log_softmax(flat @ self.weights + self.bias, axis=1))

    def probabilities(self, logits: npt.NDArray[np.floating[Any]]) -> Array:
        """Combine member logits [n, members, classes] to calibrated probabilities [n, classes]."""
        return np.asarray(softmax(self.log_scores(logits) / self.temperature, axis=1))

    def member_weights(self, classes: int) -> Array:
        """Return how much each member counts [members], summing to 1."""
        if self.kind == "mean":
            return self.weights
        size = np.abs(self.weights).reshape(-1, classes * self.weights.shape[1]).sum(axis=1)
        return np.asarray(size / size.sum() if size.sum() > 0 else size)


def fit_meta_learner(
    kind: str,
    logits: npt.NDArray[np.floating[Any]],
    labels: Labels,
    patients: npt.NDArray[np.object_],
    penalty: float = 1.0,
) -> MetaLearner:
    """Fit one meta-learner on out-of-fold rows: logits [n, members, classes], labels [n]."""
    weights = patient_weights(patients)
    fit: Callable[..., MetaLearner] = {"mean": _fit_mean, "logistic": _fit_logistic}[kind]
    fitted = fit(np.asarray(logits, dtype=np.float64), labels, weights, penalty)
    return replace(fitted, temperature=fit_temperature(fitted.log_scores(logits), labels, weights))


def patient_weights(patients: npt.NDArray[np.object_]) -> Array:
    """Weigh rows so that each patient counts 1 in all."""
    _, inverse, counts = np.unique(patients.astype(str), return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[inverse])


def prior_log_loss(labels: Labels, weights: Array, classes: int) -> float:
    """Return the weighted log loss of predicting the class shares of these very rows."""
    shares = np.bincount(labels, weights, minlength=classes) / weights.sum()
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def fit_temperature(log_scores: Array, labels: Labels, weights: Array) -> float:
    """Return the temperature in 0.05..20 with the least weighted log loss."""

    def loss(log_temperature: float) -> float:
        logs = log_softmax(log_scores / np.exp(log_temperature), axis=1)
        return float(-(weights * logs[np.arange(len(labels)), labels]).sum() / weights.sum())

    bounds = (np.log(0.05), np.log(20.0))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))


def members_above_prior(logits: Array, labels: Labels, weights: Array) -> npt.NDArray[np.bool_]:
    """Tell which members' log loss is below that of the class prior, bool [members].

    A member is judged after a temperature of its own: overconfidence is mended later.
    """
    classes = logits.shape[2]
    prior = prior_log_loss(labels, weights, classes)
    logs = log_softmax(logits, axis=2)
    rows = np.arange(len(labels))
    better = []
    for member in range(logits.shape[1]):
        own = logs[:, member]
        scaled = log_softmax(own / fit_temperature(own, labels, weights), axis=1)
        better.append(-(weights * scaled[rows, labels]).sum() / weights.sum() < prior - 1e-9)
    return np.array(better)


def _fit_mean(logits: Array, labels: Labels, weights: Array, penalty: float) -> MetaLearner:
    """Average the probabilities of the members that are better than the class prior."""
    kept = members_above_prior(logits, labels, weights)
    kept = kept if kept.any() else np.ones(len(kept), dtype=bool)
    return MetaLearner("mean", kept / kept.sum(), np.zeros(0))


def _fit_logistic(logits: Array, labels: Labels, weights: Array, penalty: float) -> MetaLearner:
    """Fit a multinomial logistic regression on log-probabilities, L2-regularised.

    A class without a row gets the bias of half a patient.
    """
    members, classes = logits.shape[1:]
    logs = np.clip(log_softmax(logits, axis=2), np.log(_FLOOR), None)
    flat = logs.reshape(len(logs), members * classes)
    present = np.unique(labels)
    matrix, bias = np.zeros((members * classes, classes)), np.full(classes, -np.inf)
    if len(present) > 1:
        model = LogisticRegression(C=1.0 / penalty, max_iter=2000, tol=1e-6)
        model.fit(flat, labels, sample_weight=weights)
        binary = model.coef_.shape[0] == 1
        signs = np.array([[-0.5], [0.5]]) if binary else np.eye(len(present))
        matrix[:, present] = (signs @ model.coef_).T
        bias[present] = signs @ model.intercept_
    else:
        bias[present] = 0.0
    absent = np.setdiff1d(np.arange(classes), present)
    if len(absent):
        scores = logsumexp(flat @ matrix[:, present] + bias[present], axis=1)
        bias[absent] = np.average(scores, weights=weights) + np.log(0.5 / weights.sum())
    return MetaLearner("logistic", matrix, bias)
