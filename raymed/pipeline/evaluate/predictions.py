"""What members and stack say of an external test set: one table, a column a member.

The file is written anew after each member, so that an evaluation which was killed goes on with the
next one.
"""

import json
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from raymed.data import Manifest
from raymed.ensemble import predict_folds
from raymed.files import digest, whole_file
from raymed.pipeline.decoding import ImageCache, decode
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.scorer import ByLevel, Probabilities
from raymed.predict import StackPredictor
from raymed.predict.member import (
    Logits,
    fold_attempt,
    member_recipe,
    predict_member,
    room_for_logits,
)
from raymed.tables import read_parquet

_ABOUT = b"about"


@dataclass(frozen=True)
class Predicted:
    """What was predicted: logits of each member, and the stack's probabilities.

    Members come in the stack's order, by name; logits are [folds, samples, classes].
    """

    members: Mapping[str, Logits]
    stack: ByLevel


def member_contents(predictor: StackPredictor) -> dict[str, str]:
    """Name what each member, by id, predicts with: its fold models that count.

    Raises `InputError` for a member that is missing or harmed.
    """
    contents = {}
    for member in predictor.stack.members:
        folder = predictor.run.member(member)
        models = [fold_attempt(folder, fold).name for fold in range(predictor.stack.folds)]
        contents[member] = digest([member, models])
    return contents


def predict_external(
    predictor: StackPredictor,
    contents: Mapping[str, str],
    manifest: Manifest,
    cache: ImageCache,
    file: Path,
) -> Generator[Event, None, Predicted]:
    """Predict a manifest's samples by the members of a stack, and by the stack.

    What `file` holds of members with the same `contents` is kept. Returns `Predicted`.
    """
    names = {contents[member]: name for member, name in predictor.stack.members.items()}
    stored = {about: logits for about, logits in _stored(file).items() if about in names}
    for member, about in contents.items():
        if about not in stored:
            stored[about] = yield from _predict(predictor, member, manifest, cache)
            _write(file, manifest, names, stored)
    members = {name: stored[about] for about, name in names.items()}
    joined = np.stack(list(members.values()), axis=2)
    combined = predict_folds(predictor.stack.meta_learner, joined)
    _write(file, manifest, names, stored, combined["image"])
    return Predicted(members, combined)


def _predict(
    predictor: StackPredictor, member: str, manifest: Manifest, cache: ImageCache
) -> Generator[Event, None, Logits]:
    folder = predictor.run.member(member)
    size = member_recipe(folder).size
    yield from decode(cache, manifest, size)
    pixels = cache.open(manifest, size)
    logits = room_for_logits(predictor.stack, len(pixels))
    for at in predict_member(folder, pixels, logits, predictor.device):
        yield Stage(f"predicting member {predictor.stack.members[member]}", at.step, at.steps)
    return logits


def _stored(file: Path) -> dict[str, Logits]:
    """Read the members' logits of a file by their contents; empty before there is one."""
    if not file.is_file():
        return {}
    table = read_parquet(file)
    return {
        field.metadata[_ABOUT].decode(): _logits_in(table[place])
        for place, field in enumerate(table.schema)
        if _ABOUT in (field.metadata or {})
    }


def _write(
    file: Path,
    manifest: Manifest,
    names: Mapping[str, str],
    logits: Mapping[str, Logits],
    stack: Probabilities | None = None,
) -> None:
    """Write a row a sample: whose it is, and a column for the stack and for each member."""
    columns = {
        "sample_id": pa.array(manifest.table["sample_id"], pa.string()),
        "patient": pa.array(manifest.patients, pa.string()),
        "label": pa.array(manifest.labels.astype(np.int16)),
    }
    if stack is not None:
        columns["probabilities"] = _listed(stack)
    table = pa.table(columns, metadata={"classes": json.dumps(manifest.classes)})
    for about, values in logits.items():
        column = _listed(values.transpose(1, 0, 2))
        field = pa.field(f"logits of {names[about]}", column.type, metadata={_ABOUT: about})
        table = table.append_column(field, column)
    with whole_file(file) as temporary:
        pq.write_table(table, temporary)


def _listed(values: npt.NDArray[np.floating[Any]]) -> pa.Array:
    """Turn [samples, ...] into a column of (nested) lists of fixed sizes."""
    column = pa.array(np.ascontiguousarray(values).ravel())
    for size in reversed(values.shape[1:]):
        column = pa.FixedSizeListArray.from_arrays(column, size)
    return column


def _logits_in(column: pa.ChunkedArray) -> Logits:
    """Turn such a column of [samples, folds, classes] back into [folds, samples, classes]."""
    folds, classes = column.type.list_size, column.type.value_type.list_size
    flat = column.combine_chunks().flatten().flatten()
    values = np.asarray(flat, dtype=np.float32).reshape(-1, folds, classes)
    return np.ascontiguousarray(values.transpose(1, 0, 2))
