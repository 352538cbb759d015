"""Toy out-of-fold tables: patients with a few samples, members of known quality."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymed.data.folds import Folds
from raymed.data.intake.manifest import Manifest
from raymed.data.predictions import prediction_table
from raymed.data.samples import SampleColumns
from raymed.ensemble import OofTable, join_members

CLASSES = ("none", "mild", "severe")


class Toy:
    """A manifest of 60 patients with 3 samples, 3 folds, and members made to order."""

    def __init__(self, folder: Path, patients: int = 60, samples: int = 3, seed: int = 0) -> None:
        folder.mkdir()
        self.folder = folder
        rng = np.random.default_rng(seed)
        people = np.repeat(np.arange(patients), samples)
        labels = np.repeat(rng.permutation(np.arange(patients) % len(CLASSES)), samples)
        self.labels = labels
        self.manifest = Manifest(
            pd.DataFrame(
                {
                    "sample_id": [f"p{p:03d}_s{i % samples}" for i, p in enumerate(people)],
                    "image": "",
                    "label": labels.astype("int16"),
                    "patient": [f"p{p:03d}" for p in people],
                    "site": "",
                    "split": "train",
                    "checksum": [str(i) for i in range(len(people))],
                }
            ),
            CLASSES,
            True,
            1,
        )
        fold = (people % 3).astype(np.int16)
        self.folds = Folds(
            tuple(self.manifest.table["sample_id"]), tuple(self.manifest.patients), fold
        )
        self.samples = SampleColumns.of(self.manifest, self.folds)
        self.rng = rng

    def logits(self, strength: float) -> np.ndarray:
        """Logits that know the label with a strength, noise of 1 beside it."""
        noise = self.rng.normal(size=(len(self.labels), len(CLASSES)))
        return (noise + strength * np.eye(len(CLASSES))[self.labels]).astype(np.float32)

    def table(self, member: str, logits: np.ndarray, rows: np.ndarray | None = None) -> pa.Table:
        """A member's out-of-fold rows, in the order of folds."""
        rows = np.argsort(self.folds.fold, kind="stable") if rows is None else rows
        parts = []
        for row in rows:
            one = np.array([row])
            fold = int(self.folds.fold[row])
            parts.append(
                prediction_table(
                    self.samples, one, logits[one], member=member, fold=fold, seed=0
                ).drop_columns(["split"])
            )
        return pa.concat_tables(parts).unify_dictionaries().combine_chunks()

    def join(
        self, tables: Mapping[str, pa.Table], recipes: Mapping[str, str] | None = None
    ) -> OofTable:
        """Write the members' tables, in small row groups, and join them into `joined`."""
        files = {member: self.folder / f"{member}.parquet" for member in tables}
        for member, table in tables.items():
            pq.write_table(table, files[member], row_group_size=50)
        return join_members(files, self.manifest, self.folds, self.joined, recipes)

    @property
    def joined(self) -> Path:
        """The joined file."""
        return self.folder / "oof.arrow"


@pytest.fixture
def toy(tmp_path: Path) -> Toy:
    return Toy(tmp_path / "toy")
