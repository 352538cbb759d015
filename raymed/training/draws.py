"""An epoch's randomness: each use of it draws from a generator of its own."""

from dataclasses import dataclass
from typing import Self

import torch

from raymed.training.seeds import AUGMENTATION, DROPOUT, MIXING, derive_seed


@dataclass(frozen=True)
class Draws:
    """What an epoch's batches draw from; what one use takes changes nothing for the others."""

    augmentation: torch.Generator
    mixing: torch.Generator

    @classmethod
    def begin(cls, seed: int, fold: int, *keys: int) -> Self:
        """Begin an epoch's draws, named by its number and the process; seeds dropout's as well."""
        torch.manual_seed(derive_seed(seed, fold, DROPOUT, *keys))
        return cls(
            *(
                torch.Generator().manual_seed(derive_seed(seed, fold, use, *keys))
                for use in (AUGMENTATION, MIXING)
            )
        )
