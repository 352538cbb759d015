"""What an epoch's steps add up to."""

from dataclasses import dataclass

from raymed.training.batch_loss import Outcome


@dataclass
class Tally:
    """Sums over an epoch's steps; `refused` are those in a row that changed nothing."""

    loss_sum: float = 0.0
    hits: int = 0
    images: int = 0
    skipped: int = 0
    refused: int = 0

    def count(self, outcome: Outcome, images: int) -> None:
        """Add a step."""
        if not outcome.stepped:
            self.skipped, self.refused = self.skipped + 1, self.refused + 1
            return
        self.loss_sum += outcome.loss * images
        self.hits, self.images, self.refused = self.hits + outcome.correct, self.images + images, 0

    @property
    def loss(self) -> float:
        """The mean over images so far."""
        return self.loss_sum / max(1, self.images)

    @property
    def accuracy(self) -> float:
        """The share of images classified rightly so far."""
        return self.hits / max(1, self.images)
