"""Triplet loss with mining that knows patients (Schroff et al. 2015; Hermans et al. 2017).

pytorch-metric-learning lists the triplets of a batch and computes the loss. A positive is an image
of the same class and of another patient: one of the same patient would teach who somebody is.
"""

from typing import Literal

import torch

Triplets = tuple[torch.Tensor, torch.Tensor, torch.Tensor]
"""Rows of anchors, positives and negatives, int64, one entry a triplet."""


def triplet_loss(
    features: torch.Tensor,
    labels: torch.Tensor,
    patients: torch.Tensor,
    margin: float = 0.2,
    mining: Literal["hard", "semi-hard"] = "hard",
) -> torch.Tensor:
    """Average the loss of the mined triplets that violate the margin; 0 where there is none.

    Features [b, width] are normalised first; labels and patients are int64 [b].
    """
    from pytorch_metric_learning.distances import LpDistance  # brings scipy's statistics:
    from pytorch_metric_learning.losses import TripletMarginLoss  # only those who use it wait

    features = features.float()
    distances = LpDistance()(features)
    triplets = mine(distances.detach(), labels, patients, margin, mining)
    found: torch.Tensor = TripletMarginLoss(margin)(features, labels, triplets)
    return found


def mine(
    distances: torch.Tensor,
    labels: torch.Tensor,
    patients: torch.Tensor,
    margin: float,
    mining: Literal["hard", "semi-hard"],
) -> Triplets:
    """Choose triplets by the distances [b, b] between features.

    hard: of each anchor the farthest positive and the nearest negative. semi-hard: all whose
    negative is farther than the positive, by no more than the margin.
    """
    from pytorch_metric_learning.utils.loss_and_miner_utils import get_all_triplets_indices

    anchors, positives, negatives = get_all_triplets_indices(labels)
    others = patients[anchors] != patients[positives]
    anchors, positives, negatives = anchors[others], positives[others], negatives[others]
    if mining == "semi-hard":
        gap = distances[anchors, negatives] - distances[anchors, positives]
        inside = (gap > 0) & (gap <= margin)
        return anchors[inside], positives[inside], negatives[inside]
    chosen = anchors.unique()
    allowed = torch.full_like(distances, -torch.inf)
    allowed[anchors, positives] = distances[anchors, positives]
    opposed = torch.full_like(distances, torch.inf)
    opposed[anchors, negatives] = distances[anchors, negatives]
    return chosen, allowed[chosen].argmax(1), opposed[chosen].argmin(1)
