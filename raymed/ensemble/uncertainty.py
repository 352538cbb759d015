"""Uncertainty of a stack in two parts: what its models disagree on, and what is open to all."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import log_softmax

from raymed.ensemble.meta_learners.rows import Array


@dataclass(frozen=True)
class Uncertainty:
    """In nats, each [rows]: the entropy of the mean prediction is the sum of the two parts.

    `expected` is the models' mean entropy (aleatoric: the image itself is ambiguous);
    `disagreement` the mutual information of prediction and model (epistemic: models that know more
    would agree), Depeweg et al. 2018, arXiv 1710.07283.
    """

    total: Array
    expected: Array
    disagreement: Array


def split_uncertainty(logits: npt.NDArray[np.floating[Any]], weights: Array) -> Uncertainty:
    """Split it over models of logits [models, rows, classes] that weigh [models]."""
    logs = log_softmax(np.asarray(logits, dtype=np.float64), axis=2)
    share = weights / weights.sum()
    mean = np.einsum("m,mrc->rc", share, np.exp(logs))
    total = -np.where(mean > 0, mean * np.log(np.where(mean > 0, mean, 1)), 0).sum(axis=1)
    expected = share @ -(np.exp(logs) * logs).sum(axis=2)
    return Uncertainty(total, expected, np.maximum(total - expected, 0))
