"""Cross-entropy with label smoothing and class weights."""

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional


def balanced_weights(labels: npt.NDArray[np.int64], classes: int) -> torch.Tensor:
    """Weigh each class by n / (classes present * n_class), float [classes]; an absent one by 0."""
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.zeros(classes)
    weights[present] = len(labels) / (present.sum() * counts[present])
    return torch.tensor(weights, dtype=torch.float32)


def cross_entropy(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor | None = None,
    smoothing: float = 0.0,
) -> torch.Tensor:
    """Return the mean cross-entropy of logits [b, classes], a scalar in nats.

    The mean is over samples, not over weights: a batch's pull does not depend on which classes
    it happens to hold.
    """
    losses = functional.cross_entropy(
        logits.float(), labels, weight=weights, label_smoothing=smoothing, reduction="none"
    )
    return losses.mean()
