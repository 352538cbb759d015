"""The prototypes of a prototypical head: class means over images that are known."""

import numpy as np
import numpy.typing as npt
import torch

from raymed.data.batches import Indices
from raymed.models import Classifier
from raymed.models.heads import PrototypicalHead
from raymed.training.inputs import Inputs


def fit_prototypes(
    model: Classifier,
    inputs: Inputs,
    rows: Indices,
    labels: npt.NDArray[np.int64],
    most: int | None = None,
) -> None:
    """Set a model's prototypes to the means over `rows`, of `labels`; sets eval.

    At most `most` rows of each class are taken, evenly spread. Any other head stays as it is.
    """
    if not isinstance(model.head, PrototypicalHead):
        return
    taken = np.arange(len(rows)) if most is None else _spread(labels, most)
    features = inputs.features_of(model, rows[taken])
    found = torch.from_numpy(labels[taken]).to(inputs.device)
    model.head.fit(torch.from_numpy(features).to(inputs.device), found)


def _spread(labels: npt.NDArray[np.int64], most: int) -> Indices:
    kept = []
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        kept.append(own[np.linspace(0, len(own) - 1, min(most, len(own))).astype(int)])
    return np.sort(np.concatenate(kept))
