"""Center loss (Wen et al. 2016, ECCV): features stay near the centre of their class.

The centres are no parameters of the optimizer: each step moves them towards their batch's features
at a rate of their own (equation 4 of the paper), once, whatever passes SAM takes.
"""

from typing import NamedTuple

import torch


class Pull(NamedTuple):
    """What features ask of centres: the sum of their offsets [classes, width], counts [classes]."""

    offsets: torch.Tensor
    counts: torch.Tensor


def center_loss(
    features: torch.Tensor, labels: torch.Tensor, centers: torch.Tensor
) -> torch.Tensor:
    """Average half the squared distance of features [b, width] to their classes' centres."""
    return 0.5 * (features.float() - centers[labels]).square().sum(1).mean()


@torch.no_grad()
def pull_of(features: torch.Tensor, labels: torch.Tensor, centers: torch.Tensor) -> Pull:
    """Add up how far features [b, width] of each class lie from its centre."""
    own = torch.nn.functional.one_hot(labels, len(centers)).to(centers.dtype)
    counts = own.sum(0)
    return Pull(own.T @ features.detach().float() - counts.unsqueeze(1) * centers, counts)


@torch.no_grad()
def move_centers(centers: torch.Tensor, pull: Pull, lr: float) -> None:
    """Move each centre by lr * (sum of offsets) / (1 + count), in place."""
    centers.add_(lr * pull.offsets / (1 + pull.counts).unsqueeze(1))
