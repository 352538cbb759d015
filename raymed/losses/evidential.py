"""Evidential deep learning: a Dirichlet distribution over class probabilities.

Sensoy, Kaplan and Kandemir 2018 (arXiv 1806.01768). Logits are log(alpha), alpha = 1 + evidence.
"""

import torch


def evidential_losses(
    logits: torch.Tensor, labels: torch.Tensor, annealed: float = 1.0
) -> torch.Tensor:
    """Give each sample's loss [b] from log(alpha) [b, classes] and labels int64 [b].

    The expected squared error of the Dirichlet (equation 5 of the paper), plus `annealed` (0..1)
    times the divergence of the evidence for wrong classes from none, KL(Dir(~alpha) || Dir(1)).
    """
    truth = torch.nn.functional.one_hot(labels, logits.shape[1]).to(logits.dtype)
    alpha = logits.exp()
    strength = alpha.sum(1, keepdim=True)
    expected = alpha / strength
    error = (truth - expected).square() + expected * (1 - expected) / (strength + 1)
    return error.sum(1) + annealed * _divergence(truth + (1 - truth) * alpha)


def annealed_share(epoch: int, anneal: int) -> float:
    """Tell the price of wrong evidence in an epoch, counted from 0: epoch / anneal, at most 1."""
    return min(1.0, epoch / anneal)


def _divergence(alpha: torch.Tensor) -> torch.Tensor:
    """KL(Dir(alpha) || Dir(1)) of each row."""
    strength, ones = alpha.sum(1, keepdim=True), torch.ones_like(alpha)
    constants = torch.lgamma(strength.squeeze(1)) - torch.lgamma(ones.sum(1))
    own = -torch.lgamma(alpha).sum(1)
    slopes = (alpha - 1) * (torch.digamma(alpha) - torch.digamma(strength))
    return constants + own + slopes.sum(1)
