"""Random draws from a generator of their own, and the mean of what they gave."""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import torch

from raymed.errors import InputError
from raymed.optim.sharpness.weights import HeldWeights


@dataclass(frozen=True)
class DrawnMean:
    """A mean over random draws and its standard error."""

    mean: float
    standard_error: float
    draws: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Average at least two values."""
        error = statistics.stdev(values) / math.sqrt(len(values))
        return cls(statistics.fmean(values), error, len(values))


def seeded(seed: int) -> torch.Generator:
    """Start a generator; it is the CPU's, so that every device gets the same draws."""
    return torch.Generator().manual_seed(seed)


def draw_normal(held: HeldWeights, generator: torch.Generator) -> torch.Tensor:
    """Draw a standard normal vector [n]."""
    return _placed(torch.randn(_count(held), generator=generator), held)


def draw_signs(held: HeldWeights, generator: torch.Generator) -> torch.Tensor:
    """Draw a vector [n] of -1 and 1 (Rademacher)."""
    return _placed(torch.randint(0, 2, (_count(held),), generator=generator) * 2.0 - 1.0, held)


def refuse_too_few(name: str, draws: int) -> None:
    """Refuse fewer than two draws: one has no standard error."""
    if draws < 2:
        raise InputError(name, f"is {draws}", "draw at least 2: one has no standard error")


def _count(held: HeldWeights) -> int:
    return sum(copy.numel() for copy in held.copies)


def _placed(vector: torch.Tensor, held: HeldWeights) -> torch.Tensor:
    return vector.to(held.vector.dtype).to(held.device)
