"""The OOF table: each sample predicted by the model that never saw its patient."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from raymed.data.predictions import SPLIT, logits_of
from raymed.errors import InputError
from raymed.tables import open_arrow


@dataclass(frozen=True)
class OofTable:
    """What every member says of every sample outside the test split, in the manifest's order.

    `logits` is float32 [samples, members, classes]; labels, patients and fold have an entry a
    sample. `metadata` is that of the file: class names, the members' recipes, hashes of manifest
    and folds.
    """

    members: tuple[str, ...]
    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    patients: npt.NDArray[np.object_]
    fold: npt.NDArray[np.int16]
    metadata: Mapping[str, str] = field(default_factory=dict)

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.logits.shape[2])


def member_rows(parts: Sequence[pa.Table], split: str) -> pa.Table:
    """Join the predictions of a member's folds, those of one split, in the order of folds."""
    kept = [part.filter(pc.equal(part[SPLIT], split)).drop_columns([SPLIT]) for part in parts]
    return pa.concat_tables(kept).unify_dictionaries().combine_chunks()


def read_oof(path: Path) -> OofTable:
    """Read what `join_members` wrote, batch by batch; each holds the rows of whole members."""
    try:
        with open_arrow(path) as file:
            metadata = {k.decode(): v.decode() for k, v in file.schema.metadata.items()}
            return _read(file, metadata)
    except (OSError, ValueError, KeyError, AttributeError) as error:
        raise InputError(
            str(path), f"is no OOF table ({error})", "run raymed build again"
        ) from None


def words(column: pa.DictionaryArray) -> npt.NDArray[np.object_]:
    """Decode words; equal ones are one object, so that a million rows stay small."""
    dictionary = np.array(column.dictionary.to_pylist(), dtype=object)
    return np.asarray(dictionary[column.indices.to_numpy()])


def _read(file: pa.RecordBatchFileReader, metadata: Mapping[str, str]) -> OofTable:
    members = tuple(json.loads(metadata["members"]))
    batch = file.get_batch(0)
    samples = batch.num_rows * file.num_record_batches // len(members)
    first = batch.slice(0, samples)
    classes = file.schema.field("logits").type.list_size
    logits = np.empty((samples, len(members), classes), dtype=np.float32)
    place = 0
    for number in range(file.num_record_batches):
        batch = file.get_batch(number)
        own = logits_of(pa.Table.from_batches([batch])).reshape(-1, samples, classes)
        logits[:, place : place + len(own)] = own.swapaxes(0, 1)
        place += len(own)
    return OofTable(
        members,
        logits,
        first["label"].to_numpy().astype(np.int64),
        words(first["patient"]),
        first["fold"].to_numpy().astype(np.int16),
        metadata,
    )
