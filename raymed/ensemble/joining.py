"""Members' out-of-fold rows joined: held against manifest and folds, and written as they come."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from raymed.data.folds import Folds
from raymed.data.intake.manifest import Manifest
from raymed.data.predictions import EXTRAS, lists_of, logits_of, prediction_schema
from raymed.ensemble.oof import OofTable, words
from raymed.errors import InputError, some
from raymed.files import whole_file
from raymed.tables import open_parquet

BATCH = 65_536
"""So many rows of a member are read at a time."""
_REMEDY = "delete the member's folder and build again"
_MEANING = {
    "fold": "from the model of another fold, which saw their patient",
    "label": "with another label than the manifest",
    "patient": "for another patient than the manifest",
}
Rows = npt.NDArray[np.int64]


def join_members(
    files: Mapping[str, Path],
    manifest: Manifest,
    folds: Folds,
    target: Path | None = None,
    recipes: Mapping[str, str] | None = None,
) -> OofTable:
    """Join the OOF rows of members, by id the Parquet file of each; into an Arrow file, if asked.

    `target` is long (a row a member and sample): members in the order given, samples in the
    manifest's. It holds the manifest's word on each sample, once a member's rows agree with it.
    Members are read and written one after the other, in batches; what stays in memory is their
    logits. `recipes` maps a member's id to its name; it goes into the schema's metadata with class
    names and the hashes of manifest and folds.

    Raises `InputError` when a member misses a sample, predicts one twice, predicts one from a model
    that saw its patient, or disagrees about labels, patients or classes.
    """
    if not files:
        raise InputError("OOF table", "there are no members to join", "build at least one")
    metadata = {
        "classes": json.dumps(manifest.classes),
        "manifest": manifest.content,
        "folds": folds.content,
        "members": json.dumps(dict(recipes or {member: member for member in files})),
    }
    samples, names = _Samples.of(manifest, folds), pa.array(files, pa.string())
    logits = np.empty((samples.count, len(files), len(manifest.classes)), dtype=np.float32)
    any_extras = any(_has_extras(path) for path in files.values())
    schema = prediction_schema(len(manifest.classes), extras=any_extras).with_metadata(metadata)
    with _written(target, schema) as joined:
        for place, (member, path) in enumerate(files.items()):
            with open_parquet(path) as file:
                seeds, extras = _read_member(member, file, samples, logits[:, place])
            if joined is not None:
                which = np.full(samples.count, place, dtype=np.int32)
                own = {
                    "member": pa.DictionaryArray.from_arrays(which, names),
                    "seed": pa.array(seeds),
                    "logits": lists_of(logits[:, place]),
                }
                if any_extras:
                    kind = schema.field(EXTRAS).type
                    own[EXTRAS] = pa.nulls(samples.count, kind) if extras is None else extras
                joined.write_batch(pa.record_batch({**samples.columns, **own}, schema=schema))
    return OofTable(
        tuple(files),
        logits,
        samples.columns["label"].to_numpy().astype(np.int64),
        words(samples.columns["patient"]),
        folds.fold[folds.fold >= 0],
        metadata,
    )


@contextmanager
def _written(target: Path | None, schema: pa.Schema) -> Iterator[pa.RecordBatchFileWriter | None]:
    """Open the file that rows are joined into; none where no file is asked for."""
    if target is None:
        yield None
        return
    with whole_file(target) as temporary, pa.ipc.new_file(temporary, schema) as joined:
        yield joined


@dataclass(frozen=True)
class _Samples:
    """What manifest and folds say: `columns` of the samples to join, in the manifest's order.

    `ids` are those of all samples, `row` tells where each is joined; -1 in the test split.
    """

    ids: pa.Array
    row: Rows
    columns: Mapping[str, pa.Array]

    @classmethod
    def of(cls, manifest: Manifest, folds: Folds) -> Self:
        """Take the columns of a manifest and its folds."""
        texts = {name: pa.string() for name in ("sample_id", "patient", "site")}
        schema = pa.schema({**texts, "label": pa.int16()})
        table = pa.Table.from_pandas(manifest.table, schema, preserve_index=False)
        table = table.append_column("fold", pa.array(folds.fold)).combine_chunks()
        inside = folds.fold >= 0
        kept = table.filter(pa.array(inside))
        columns = {name: kept[name].combine_chunks() for name in kept.column_names}
        for name in ("patient", "site"):
            columns[name] = columns[name].dictionary_encode()
        row = np.where(inside, np.cumsum(inside) - 1, -1)
        return cls(table["sample_id"].combine_chunks(), row, columns)

    @property
    def count(self) -> int:
        """How many samples every member has to predict."""
        return len(self.columns["sample_id"])


def _read_member(
    member: str, file: pq.ParquetFile, samples: _Samples, logits: npt.NDArray[np.float32]
) -> tuple[npt.NDArray[np.int32], pa.Array | None]:
    """Put a member's logits in place [samples, classes]; return each row's seed and extras."""
    rows = _rows_of(member, file.read(["sample_id"])["sample_id"], samples)
    width = file.schema_arrow.field("logits").type.list_size
    if width != logits.shape[1]:
        raise InputError(
            f"member {member}", f"predicts {width} classes, the manifest has {logits.shape[1]}"
        )
    seeds = np.empty(len(rows), dtype=np.int32)
    wrong: dict[str, list[Rows]] = {column: [] for column in _MEANING}
    start = 0
    for batch in file.iter_batches(BATCH, columns=[*_MEANING, "seed", "logits"]):
        here = rows[start : start + len(batch)]
        for column, found in wrong.items():
            found.append(here[_differ(batch[column], samples.columns[column].take(pa.array(here)))])
        logits[here] = logits_of(pa.Table.from_batches([batch]))
        seeds[here] = batch["seed"].to_numpy()
        start += len(batch)
    for column, found in wrong.items():
        _refuse(member, np.sort(np.concatenate(found)), column, samples)
    if not np.isfinite(logits).all():
        raise InputError(f"member {member}", "has logits that are not finite")
    return seeds, _extras_of(file, rows)


def _has_extras(path: Path) -> bool:
    with open_parquet(path) as file:
        return EXTRAS in file.schema_arrow.names


def _extras_of(file: pq.ParquetFile, rows: Rows) -> pa.Array | None:
    """Read what a member says beside its logits, in the order that is joined."""
    if EXTRAS not in file.schema_arrow.names:
        return None
    return file.read([EXTRAS])[EXTRAS].combine_chunks().take(pa.array(np.argsort(rows)))


def _rows_of(member: str, found: pa.ChunkedArray, samples: _Samples) -> Rows:
    """Tell where each of a member's rows is joined; refuse missing, doubled and unknown ones."""
    place = pc.index_in(found, value_set=samples.ids).fill_null(-1).to_numpy()
    counts = np.bincount(place[place >= 0], minlength=len(samples.ids))
    if (counts > 1).any():
        doubled = samples.ids.filter(pa.array(counts > 1)).to_pylist()
        raise InputError(
            f"member {member}",
            f"predicts samples twice: {some(doubled)}; two of its folds overlap",
            _REMEDY,
        )
    missing = samples.ids.filter(pa.array((counts == 0) & (samples.row >= 0))).to_pylist()
    if missing:
        raise InputError(
            f"member {member}", f"does not predict {len(missing)} samples: {some(missing)}", _REMEDY
        )
    rows = samples.row[place]
    unknown = place < 0
    if (unknown | (rows < 0)).any():
        where = "no manifest of this run" if unknown.any() else "the test split"
        strange = sorted(found.filter(pa.array(unknown | (rows < 0))).unique().to_pylist())
        raise InputError(
            f"member {member}",
            f"predicts {len(strange)} samples of {where}: {some(strange)}",
            _REMEDY,
        )
    return np.asarray(rows)


def _differ(found: pa.Array, expected: pa.Array) -> npt.NDArray[np.bool_]:
    """Tell which entries are not the expected ones; dictionaries are compared by their words."""
    if pa.types.is_dictionary(expected.type):
        found, expected = found.cast(pa.string()), expected.cast(pa.string())
    differ: Any = pc.fill_null(pc.not_equal(found, expected), True)
    return np.asarray(differ.to_numpy(zero_copy_only=False), dtype=bool)


def _refuse(member: str, wrong: Rows, column: str, samples: _Samples) -> None:
    if len(wrong):
        named = samples.columns["sample_id"].take(pa.array(wrong[:5])).to_pylist()
        raise InputError(
            f"member {member}",
            f"predicts {len(wrong)} samples {_MEANING[column]}: {some(named)}",
            _REMEDY,
        )
