"""What a recipe minimises: the loss of its logits, and what it asks of its features."""

from dataclasses import dataclass
from functools import cached_property

import torch

from raymed.config import Recipe
from raymed.losses import (
    annealed_share,
    center_loss,
    cross_entropy,
    evidential_losses,
    ordinal_targets,
    soft_losses,
    triplet_loss,
)
from raymed.models import Outputs


@dataclass(frozen=True)
class Objective:
    """The loss of a recipe over `classes`; `weights` float32 [classes] are those of its labels."""

    recipe: Recipe
    classes: int
    weights: torch.Tensor | None = None

    def of_logits(self, logits: torch.Tensor, labels: torch.Tensor, epoch: int = 0) -> torch.Tensor:
        """Average the main loss of logits [n, classes] over samples; epochs count from 0."""
        recipe = self.recipe
        if recipe.evidential is not None:
            annealed = annealed_share(epoch, recipe.evidential.anneal)
            return self._weighed(evidential_losses(logits, labels, annealed), labels)
        if recipe.ordinal_smoothing is not None:
            targets = self._ordinal_targets.to(logits.device)[labels]
            return self._weighed(soft_losses(logits, targets), labels)
        return cross_entropy(logits, labels, self.weights, recipe.label_smoothing)

    def of_features(
        self,
        outputs: Outputs,
        labels: torch.Tensor,
        patients: torch.Tensor,
        centers: torch.Tensor | None,
    ) -> torch.Tensor | None:
        """Add up what is asked of the features of a batch, weighed; None where nothing is.

        Labels and patients are int64 [b], `centers` those of the model.
        """
        asked: list[torch.Tensor] = []
        triplet, center = self.recipe.triplet, self.recipe.center
        if triplet is not None:
            pairs = (outputs.features, labels, patients)
            asked.append(triplet.weight * triplet_loss(*pairs, triplet.margin, triplet.mining))
        if center is not None and centers is not None:
            asked.append(center.weight * center_loss(outputs.features, labels, centers))
        return torch.stack(asked).sum() if asked else None

    def _weighed(self, losses: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return losses.mean() if self.weights is None else (losses * self.weights[labels]).mean()

    @cached_property
    def _ordinal_targets(self) -> torch.Tensor:
        asked = self.recipe.ordinal_smoothing
        assert asked is not None
        return ordinal_targets(self.classes, asked.distance, asked.temperature)
