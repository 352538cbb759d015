"""Patient-grouped folds and test splits: assigned once, frozen, reused by every member."""

import warnings
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from sklearn.model_selection import StratifiedGroupKFold

from raymed.config import DataConfig
from raymed.data.intake.manifest import Manifest
from raymed.errors import InputError, some
from raymed.files import digest, whole_file
from raymed.tables import read_parquet

TEST = -1


@dataclass(frozen=True)
class Folds:
    """A fold for each sample of a manifest, in its order; -1 in the test split."""

    sample_ids: tuple[str, ...]
    patients: tuple[str, ...]
    fold: npt.NDArray[np.int16]

    @property
    def count(self) -> int:
        """How many folds there are."""
        return int(self.fold.max()) + 1

    @cached_property
    def content(self) -> str:
        """A hash of which sample lies in which fold."""
        return digest([list(self.sample_ids), self.fold.tolist()])

    def write(self, path: Path) -> None:
        """Write as Parquet, the hash in the schema's metadata."""
        table = pa.table(
            {"sample_id": self.sample_ids, "patient": self.patients, "fold": self.fold},
            metadata={"content": self.content},
        )
        with whole_file(path) as temporary:
            pq.write_table(table, temporary)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read what `write` wrote; refuse a table that was changed since."""
        table = read_parquet(path)
        folds = cls(
            tuple(table["sample_id"].to_pylist()),
            tuple(table["patient"].to_pylist()),
            table["fold"].to_numpy().astype(np.int16),
        )
        if (table.schema.metadata or {}).get(b"content", b"").decode() != folds.content:
            raise InputError(str(path), "was changed by hand", "delete the run folder, build again")
        return folds


def draw_test_split(manifest: Manifest, data: DataConfig, seed: int) -> Manifest:
    """Move `data.test.share` of each class's patients to the test split; one stays to train on.

    A patient's class is that of most of his samples. Without `data.test` the manifest's own
    split stays.
    """
    if data.test is None:
        return manifest
    if manifest.is_test.any():
        raise InputError(
            "data.test", "the manifest has a test split of its own", "remove data.test.share"
        )
    rng = np.random.default_rng([seed, 7])
    classes = _class_of_patients(manifest)
    chosen: set[str] = set()
    for _, patients in classes.groupby(classes):
        names = sorted(patients.index)
        count = min(int(np.floor(len(names) * data.test.share + 0.5)), len(names) - 1)
        chosen.update(rng.permutation(np.array(names, dtype=object))[:count])
    if not chosen:
        raise InputError("data.test.share", f"{data.test.share} leaves no patient to test on")
    split = np.where(manifest.table["patient"].isin(chosen), "test", "train")
    return replace(manifest, table=manifest.table.assign(split=split))


def assign_folds(manifest: Manifest, data: DataConfig, seed: int) -> Folds:
    """Give every sample outside the test split a fold; a patient is never in two.

    Stratified by class and grouped by patient (scikit-learn's `StratifiedGroupKFold`), or taken
    from the column that `data.folds` names. Raises `InputError` for fewer patients than folds
    and for a declared fold that tears a patient apart.
    """
    train = ~manifest.is_test
    if data.folds.column is not None:
        inside = _declared(manifest)
    else:
        inside = _drawn(manifest, data.folds.count, seed)
    fold = np.full(len(train), TEST, dtype=np.int16)
    fold[train] = inside
    folds = Folds(tuple(manifest.table["sample_id"]), tuple(manifest.patients), fold)
    _refuse_torn_patients(folds)
    if len(np.unique(inside)) < 2 or set(np.unique(inside)) != set(range(folds.count)):
        raise InputError(
            "data.folds",
            f"training samples lie in folds {np.unique(inside).tolist()}",
            "number them 0, 1, .. without a gap, at least two",
        )
    return folds


def _drawn(manifest: Manifest, count: int, seed: int) -> npt.NDArray[np.int16]:
    train = ~manifest.is_test
    labels, patients = manifest.labels[train], manifest.patients[train]
    people = len(np.unique(patients))
    if people < count:
        raise InputError(
            "data.folds", f"{count} folds for {people} patients", f"ask for at most {people}"
        )
    fold = np.empty(len(labels), dtype=np.int16)
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    with warnings.catch_warnings():  # small classes: the audit announces them, by patients
        warnings.filterwarnings("ignore", message="The least populated class")
        try:
            parts = list(splitter.split(labels, labels, patients))
        except ValueError as error:
            raise InputError("data.folds", f"{count} folds cannot be drawn ({error})") from None
    for number, (_, held_out) in enumerate(parts):
        fold[held_out] = number
    return fold


def _declared(manifest: Manifest) -> npt.NDArray[np.int16]:
    train = manifest.table[~manifest.is_test]
    declared = train["declared_fold"].astype(str).str.strip()
    strangers = declared[~declared.str.fullmatch(r"\d{1,4}")].unique().tolist()
    if strangers:
        raise InputError("data.folds", f"folds that are no numbers: {some(strangers)}")
    return np.asarray(declared, dtype=np.int16)


def _refuse_torn_patients(folds: Folds) -> None:
    table = pd.DataFrame({"patient": folds.patients, "fold": folds.fold})
    seen = table.groupby("patient")["fold"].unique()
    torn = [
        f"{name} in folds {sorted(map(int, seen[name]))}"
        for name in seen.index
        if len(seen[name]) > 1
    ]
    if torn:
        raise InputError(
            "data.folds",
            f"{len(torn)} patients are in two folds: {some(torn)}",
            "give all of a patient's samples one fold",
        )


def _class_of_patients(manifest: Manifest) -> pd.Series:
    table = manifest.table[["patient", "label"]]
    return table.groupby("patient")["label"].agg(lambda labels: int(labels.mode().iloc[0]))
