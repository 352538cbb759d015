"""What every head offers: logits of features, and what it learns from in training."""

from typing import NamedTuple

import torch
from torch import nn


class Outputs(NamedTuple):
    """What a classifier says in training.

    `logits` [n, classes] are of `labels` int64 [n]; `features` [b, width] of the whole batch. n is
    b but for heads that learn from a part of each batch.
    """

    logits: torch.Tensor
    features: torch.Tensor
    labels: torch.Tensor


class ClassifierHead(nn.Module):
    """Maps features [b, width] to logits [b, classes]."""

    in_features: int

    def learn(
        self, features: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the logits that training compares with labels, and these labels.

        `labels` int64 [b] are those of the batch.
        """
        return self(features), labels
