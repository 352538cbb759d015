"""Scores become evidence, and evidence the parameters of a Dirichlet distribution."""

import torch
from torch import nn
from torch.nn import functional


class Evidence(nn.Module):
    """Maps scores [b, classes] to log(alpha), alpha = 1 + softplus(score) (Sensoy et al. 2018).

    Their softmax is alpha over its sum, the expected probability, so log(alpha) are logits like any
    others; and alpha can be read from them. Softplus, as ReLU has no slope below zero.
    """

    def forward(self, scores: torch.Tensor) -> torch.Tensor:
        """Compute it in float32."""
        return torch.log1p(functional.softplus(scores.float()))
