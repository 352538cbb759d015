"""What a process learns from in its steps: its shares of batches, as tensors."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from typing import TypeVar

import numpy as np
import torch

from raymed.config import Recipe
from raymed.data.batches import Indices
from raymed.data.samples import SampleColumns
from raymed.losses import draw_mix
from raymed.training.batch_loss import Batch
from raymed.training.draws import Draws
from raymed.training.inputs import Inputs
from raymed.training.ranks import Ranks

Item = TypeVar("Item")
_FEATURES_AT_ONCE = 16
"""Batches. A probe's step takes little longer than loading its rows, and a thread has its price."""


@dataclass(frozen=True)
class Loader:
    """Loads this process's shares of batches; `points` are where hidden layers can be mixed."""

    recipe: Recipe
    inputs: Inputs
    samples: SampleColumns
    ranks: Ranks
    points: list[str]

    def load(self, batches: Sequence[Indices], draws: Draws) -> Iterator[tuple[int, Batch]]:
        """Give each batch's size and this process's share, in turn; features some batches ahead."""
        at_once = _FEATURES_AT_ONCE if self.inputs.features else 1
        starts = range(0, len(batches), at_once)
        lots = (self._lot(batches[start : start + at_once], draws) for start in starts)
        return chain.from_iterable(ahead(lots) if len(starts) > 1 and at_once > 1 else lots)

    def _lot(self, batches: Sequence[Indices], draws: Draws) -> list[tuple[int, Batch]]:
        shares, mixup = [self.ranks.share(rows) for rows in batches], self.recipe.mixup
        rows, sizes = np.concatenate(shares), [len(share) for share in shares]
        values = self.inputs.training_batch(rows, self.recipe.augmentation, draws.augmentation)
        labels, patients = (
            torch.from_numpy(column[rows]).to(self.inputs.device)
            for column in (self.samples.labels, self._patient_numbers)
        )
        loaded = []
        columns = (torch.split(column, sizes) for column in (values, labels, patients))
        for whole, own, its, whose in zip(batches, *columns, strict=True):
            mix = None if mixup is None else draw_mix(mixup, own, self.points, draws.mixing)
            loaded.append((len(whole), Batch(own, its, whose, mix)))
        return loaded

    @cached_property
    def _patient_numbers(self) -> Indices:
        """A number a patient, for what tells patients apart: triplets alone do."""
        if self.recipe.triplet is None:
            return np.zeros(len(self.samples.patients), dtype=np.int64)
        return np.unique(self.samples.patients.astype(str), return_inverse=True)[1]


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """Give items in their order, each made by a thread while the one before it is used."""
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(next, items, None)
        while (item := following.result()) is not None:
            following = thread.submit(next, items, None)
            yield item
