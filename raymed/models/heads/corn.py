"""CORN: ordered classes by conditional probabilities (Shi, Cao and Raschka 2023, arXiv 2111.08851).

Score k says how likely a sample is beyond class k, given that it is not before it. The probability
of a class is the product of its conditions, so it is never negative and they add up to 1. The
logits here are its logarithms: their cross-entropy is the sum of CORN's binary losses of a sample,
which the paper divides by the number of conditions in the batch and we by that of samples.
"""

import torch
from torch import nn
from torch.nn import functional

from raymed.models.heads.contract import ClassifierHead


class CornHead(ClassifierHead):
    """classes - 1 scores in order; the first biases give every class the same probability."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__()
        self.in_features = width
        self.scores = nn.Linear(width, classes - 1)
        nn.init.zeros_(self.scores.weight)
        beyond = torch.arange(classes - 1, 0, -1).float()
        self.scores.bias = nn.Parameter(beyond.log())  # k of the classes left against one

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features [b, width] to log-probabilities [b, classes], which stand for logits."""
        return log_probabilities(self.scores(features))


def log_probabilities(scores: torch.Tensor) -> torch.Tensor:
    """Turn conditional scores [b, classes - 1] into log-probabilities float32 [b, classes]."""
    scores = scores.float()
    beyond = functional.logsigmoid(scores).cumsum(1)
    before = functional.pad(beyond, (1, 0))  # of having come so far
    here = functional.pad(functional.logsigmoid(-scores), (0, 1))  # of staying; the last stays
    return before + here
