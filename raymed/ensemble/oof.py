"""The OOF table: each sample predicted by the model that never saw its patient."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from raymed.data.folds import Folds
from raymed.data.manifest import Manifest
from raymed.data.predictions import SPLIT, logits_of, prediction_schema
from raymed.errors import InputError, some
from raymed.files import whole_file


@dataclass(frozen=True)
class OofTable:
    """Joined rows: every member predicts every sample outside the test split exactly once.

    `table` is long (a row a member and sample), members in order, samples in the manifest's.
    `logits` is float32 [samples, members, classes]; the other arrays have an entry a sample.
    """

    table: pa.Table
    members: tuple[str, ...]
    logits: npt.NDArray[np.float32]
    labels: npt.NDArray[np.int64]
    patients: npt.NDArray[np.object_]
    fold: npt.NDArray[np.int16]

    @property
    def classes(self) -> int:
        """How many classes there are."""
        return int(self.logits.shape[2])

    def write(self, path: Path) -> None:
        """Write as an Arrow file."""
        with whole_file(path) as temporary, pa.ipc.new_file(temporary, self.table.schema) as file:
            file.write_table(self.table)


def member_rows(parts: Sequence[pa.Table], split: str) -> pa.Table:
    """Join the predictions of a member's folds, those of one split, in the order of folds."""
    kept = [part.filter(pc.equal(part[SPLIT], split)).drop_columns([SPLIT]) for part in parts]
    return pa.concat_tables(kept).unify_dictionaries().combine_chunks()


def join_members(
    tables: Mapping[str, pa.Table],
    manifest: Manifest,
    folds: Folds,
    recipes: Mapping[str, str] | None = None,
) -> OofTable:
    """Join the OOF rows of members, by id, into one table.

    `recipes` maps a member's id to its name; it goes into the schema's metadata with class names
    and the hashes of manifest and folds. Raises `InputError` when a member misses a sample,
    predicts one twice, predicts one from a model that saw its patient, or disagrees about
    labels, patients or classes.
    """
    if not tables:
        raise InputError("OOF table", "there are no members to join", "build at least one")
    train = np.flatnonzero(folds.fold >= 0)
    ids = manifest.table["sample_id"].to_numpy(dtype=object)[train]
    ordered, logits = [], []
    for member, table in tables.items():
        positions = _positions(member, table, ids, manifest.table["sample_id"])
        rows = table.take(positions)
        _refuse_leaks(member, rows, manifest, folds, train)
        ordered.append(rows.cast(prediction_schema(len(manifest.classes))))
        logits.append(logits_of(rows))
    metadata = {
        "classes": json.dumps(manifest.classes),
        "manifest": manifest.content,
        "folds": folds.content,
        "members": json.dumps(dict(recipes or {name: name for name in tables})),
    }
    joined = _encoded_anew(pa.concat_tables(ordered))
    return OofTable(
        joined.replace_schema_metadata(metadata),
        tuple(tables),
        np.stack(logits, axis=1),
        manifest.labels[train],
        manifest.patients[train],
        folds.fold[train],
    )


def read_oof(path: Path) -> OofTable:
    """Read what `OofTable.write` wrote."""
    try:
        with pa.ipc.open_file(path) as file:
            table = file.read_all()
        members = tuple(json.loads(table.schema.metadata[b"members"]))
    except (OSError, pa.ArrowInvalid, KeyError, TypeError) as error:
        raise InputError(
            str(path), f"is no OOF table ({error})", "run raymed build again"
        ) from None
    count = len(table) // len(members)
    first = table.slice(0, count)
    logits = logits_of(table).reshape(len(members), count, -1).transpose(1, 0, 2)
    return OofTable(
        table,
        members,
        np.ascontiguousarray(logits),
        first["label"].to_numpy().astype(np.int64),
        np.array(first["patient"].to_pylist(), dtype=object),
        first["fold"].to_numpy().astype(np.int16),
    )


def _positions(
    member: str, table: pa.Table, ids: npt.NDArray[np.object_], known: Iterable[str]
) -> npt.NDArray[np.int64]:
    """Find the row of each sample; refuse missing, doubled and unknown ones."""
    found: dict[str, int] = {}
    doubled = []
    for row, sample in enumerate(table["sample_id"].to_pylist()):
        if sample in found:
            doubled.append(sample)
        found[sample] = row
    remedy = "delete the member's folder and build again"
    if doubled:
        raise InputError(
            f"member {member}",
            f"predicts samples twice: {some(doubled)}; two of its folds overlap",
            remedy,
        )
    missing = [sample for sample in ids if sample not in found]
    if missing:
        raise InputError(
            f"member {member}", f"does not predict {len(missing)} samples: {some(missing)}", remedy
        )
    strange = sorted(set(found) - set(ids))
    if strange:
        where = "the test split" if set(strange) <= set(known) else "no manifest of this run"
        raise InputError(
            f"member {member}",
            f"predicts {len(strange)} samples of {where}: {some(strange)}",
            remedy,
        )
    return np.array([found[sample] for sample in ids], dtype=np.int64)


def _encoded_anew(table: pa.Table) -> pa.Table:
    """Encode dictionaries by first appearance: the same rows are then the same bytes."""
    for place, field in enumerate(table.schema):
        if pa.types.is_dictionary(field.type):
            values = table[place].cast(pa.string()).combine_chunks().dictionary_encode()
            table = table.set_column(place, field, values)
    return table.combine_chunks()


def _refuse_leaks(
    member: str, rows: pa.Table, manifest: Manifest, folds: Folds, train: npt.NDArray[np.int64]
) -> None:
    """Hold a member's rows, in the manifest's order, against manifest and folds."""
    truth: dict[str, npt.NDArray[Any]] = {
        "fold": folds.fold[train],
        "label": manifest.labels[train],
        "patient": manifest.patients[train],
    }
    meaning = {
        "fold": "from the model of another fold, which saw their patient",
        "label": "with another label than the manifest",
        "patient": "for another patient than the manifest",
    }
    width = logits_of(rows).shape[1]
    if width != len(manifest.classes):
        raise InputError(
            f"member {member}",
            f"predicts {width} classes, the manifest has {len(manifest.classes)}",
        )
    for column, expected in truth.items():
        found = np.array(rows[column].to_pylist(), dtype=object)
        wrong = np.flatnonzero(found != expected.astype(object))
        if len(wrong):
            samples = [rows["sample_id"][int(row)].as_py() for row in wrong[:5]]
            raise InputError(
                f"member {member}",
                f"predicts {len(wrong)} samples {meaning[column]}: {some(samples)}",
                "delete the member's folder and build again",
            )
    if not np.isfinite(logits_of(rows)).all():
        raise InputError(f"member {member}", "has logits that are not finite")
