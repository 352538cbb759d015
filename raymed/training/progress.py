"""What a unit of work says while it runs."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Curve:
    """What a fold's epochs came to so far, those of earlier attempts too.

    `held_out_losses` are diagnostic: each epoch's mean loss in nats on a few held-out samples a
    patient, nan where it is not finite. They may end a fold that is not worth its time, and choose
    no model. `seconds` is what the epochs took.
    """

    held_out_losses: tuple[float, ...]
    seconds: float


@dataclass(frozen=True)
class Progress:
    """One report of a unit: how far it is, and how fast.

    `step` of `steps` counts the whole unit; `epoch` of `epochs` is 0 where epochs mean nothing.
    `loss` is the mean of the epoch so far, in nats. `checkpoint` is the folder of a checkpoint
    that was just written. `curve` is there at the end of an epoch. On an engine `node` is the
    address of where it runs, `gpu_busy` the share of time (0 to 1) that its card was busy lately,
    with all that others do there; None where no card says.
    """

    step: int
    steps: int
    epoch: int = 0
    epochs: int = 0
    loss: float | None = None
    images_per_second: float | None = None
    checkpoint: Path | None = None
    curve: Curve | None = None
    node: str | None = None
    gpu_busy: float | None = None
