"""The columns of manifest and folds that training needs, as arrays."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from raymed.data.folds import TEST, Folds
from raymed.data.intake.manifest import Manifest


@dataclass(frozen=True)
class SampleColumns:
    """One entry a sample, in the manifest's order; `fold` is -1 in the test split."""

    sample_ids: npt.NDArray[np.object_]
    patients: npt.NDArray[np.object_]
    sites: npt.NDArray[np.object_]
    labels: npt.NDArray[np.int64]
    fold: npt.NDArray[np.int16]
    classes: int

    @classmethod
    def of(cls, manifest: Manifest, folds: Folds) -> Self:
        """Take the columns of a manifest and its folds."""
        table = manifest.table
        return cls(
            table["sample_id"].to_numpy(dtype=object),
            manifest.patients,
            table["site"].to_numpy(dtype=object),
            manifest.labels,
            folds.fold,
            len(manifest.classes),
        )

    @property
    def folds(self) -> int:
        """How many folds there are."""
        return int(self.fold.max()) + 1

    def training_rows(self, fold: int) -> npt.NDArray[np.int64]:
        """Rows that a fold's model learns from: neither its own fold nor the test split."""
        return np.flatnonzero((self.fold != fold) & (self.fold != TEST))

    def held_out_rows(self, fold: int) -> npt.NDArray[np.int64]:
        """Rows of the fold itself."""
        return np.flatnonzero(self.fold == fold)

    def test_rows(self) -> npt.NDArray[np.int64]:
        """Rows of the test split."""
        return np.flatnonzero(self.fold == TEST)
