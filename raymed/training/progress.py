"""What a unit of work says while it runs."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Progress:
    """One report of a unit: how far it is, and how fast.

    `step` of `steps` counts the whole unit; `epoch` of `epochs` is 0 where epochs mean nothing.
    `loss` is the mean of the epoch so far, in nats. `checkpoint` is the folder of a checkpoint
    that was just written.
    """

    step: int
    steps: int
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    images_per_second: float | None = None
    checkpoint: Path | None = None
