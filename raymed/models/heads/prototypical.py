"""Prototypical networks (Snell et al. 2017, arXiv 1703.05175): the nearest class mean.

In training each batch is an episode: a few images of each class, the support, make the prototypes
that the others are compared with. In use the prototypes are the means over the training images,
part of the model's state.
"""

import torch
from torch import nn
from torch.nn import functional

from raymed.models.heads.contract import ClassifierHead

_SMALL = 0.1
"""Scale of the first embedding: distances start near zero, and the loss near ln(classes)."""
_NOWHERE = -1e4
"""The logit of a class without an image in the support."""


class PrototypicalHead(ClassifierHead):
    """logits = -|embedding - prototype|^2, the squared Euclidean distance, after a linear layer."""

    prototypes: torch.Tensor

    def __init__(self, width: int, classes: int, shots: int = 5, embedding_dim: int = 64) -> None:
        super().__init__()
        self.in_features, self.shots = width, shots
        self.embedding = nn.Linear(width, embedding_dim, bias=False)
        nn.init.normal_(self.embedding.weight, std=_SMALL * width**-0.5)
        self.register_buffer("prototypes", torch.zeros(classes, embedding_dim))

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features [b, width] to logits [b, classes] by the prototypes that are kept."""
        return minus_distances(self.embedding(features), self.prototypes)

    def learn(
        self, features: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take the batch as an episode: the first `shots` of each class are its support.

        Gives the logits of the others, and their labels.
        """
        embedded, classes = self.embedding(features), len(self.prototypes)
        chosen = functional.one_hot(labels, classes)
        place = (chosen.cumsum(0) * chosen).sum(1)  # of an image among its class's, from 1
        support = place <= self.shots
        means, counts = class_means(embedded[support], labels[support], classes)
        logits = minus_distances(embedded[~support], means)
        return logits.masked_fill(counts == 0, _NOWHERE), labels[~support]

    @torch.no_grad()
    def fit(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        """Keep the mean of each class as its prototype; a class without images keeps the old."""
        embedded, classes = self.embedding(features).float(), len(self.prototypes)
        means, counts = class_means(embedded, labels, classes)
        there = counts > 0
        self.prototypes[there] = means[there]


def class_means(
    embedded: torch.Tensor, labels: torch.Tensor, classes: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Average rows [b, dim] by class: [classes, dim], zero where there is none, and counts."""
    chosen = functional.one_hot(labels, classes).to(embedded.dtype)
    counts = chosen.sum(0)
    return chosen.T @ embedded / counts.clamp(min=1).unsqueeze(1), counts


def minus_distances(embedded: torch.Tensor, prototypes: torch.Tensor) -> torch.Tensor:
    """Give minus the squared Euclidean distances [b, classes], float32."""
    apart = embedded.float().unsqueeze(1) - prototypes.float().unsqueeze(0)
    return -apart.square().sum(2)
