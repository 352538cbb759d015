"""Distance-aware label smoothing for ordered classes (SORD, Diaz and Marathe 2019, CVPR)."""

from typing import Literal

import torch


def ordinal_targets(
    classes: int, distance: Literal["absolute", "squared"] = "squared", temperature: float = 0.5
) -> torch.Tensor:
    """Give the target of each class, float32 [classes, classes]; rows add up to 1.

    Row i is softmax(-d(i, j) / temperature) over j, d being |i - j| or its square: it falls with
    the distance, and is one-hot in the limit of a low temperature.
    """
    places = torch.arange(classes, dtype=torch.float32)
    apart = (places.unsqueeze(0) - places.unsqueeze(1)).abs()
    if distance == "squared":
        apart = apart.square()
    return torch.softmax(-apart / temperature, dim=1)


def soft_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Give each sample's cross-entropy [b] of logits with soft targets, both [b, classes]."""
    return -(targets * torch.log_softmax(logits, dim=1)).sum(1)
