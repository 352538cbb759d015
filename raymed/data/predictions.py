"""The table of predictions: what a fold's model said of samples it never saw."""

from typing import Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from raymed.data.folds import TEST
from raymed.data.samples import SampleColumns

Level = Literal["image", "patient"]
LEVELS: tuple[Level, ...] = ("image", "patient")
"""A prediction is that of an image by itself, or the mean over a patient's."""
SPLIT = "split"


def prediction_schema(classes: int) -> pa.Schema:
    """Return the schema of out-of-fold rows; logits are float32 [classes]."""
    words = pa.dictionary(pa.int32(), pa.string())
    return pa.schema(
        [
            ("sample_id", pa.string()),
            ("patient", words),
            ("site", words),
            ("member", words),
            ("fold", pa.int16()),
            ("label", pa.int16()),
            ("seed", pa.int32()),
            ("logits", pa.list_(pa.float32(), classes)),
        ]
    )


def prediction_table(
    samples: SampleColumns,
    rows: npt.NDArray[np.int64],
    logits: npt.NDArray[np.float32],
    *,
    member: str,
    fold: int,
    seed: int,
) -> pa.Table:
    """Write down the logits [rows, classes] of one fold's model, with the split of each row."""
    classes, count = logits.shape[1], len(rows)
    flat = pa.array(np.ascontiguousarray(logits, dtype=np.float32).ravel())
    columns = {
        "sample_id": pa.array(samples.sample_ids[rows], pa.string()),
        "patient": pa.array(samples.patients[rows], pa.string()).dictionary_encode(),
        "site": pa.array(samples.sites[rows], pa.string()).dictionary_encode(),
        "member": pa.array([member] * count, pa.string()).dictionary_encode(),
        "fold": pa.array(np.full(count, fold, dtype=np.int16)),
        "label": pa.array(samples.labels[rows].astype(np.int16)),
        "seed": pa.array(np.full(count, seed, dtype=np.int32)),
        "logits": pa.FixedSizeListArray.from_arrays(flat, classes),
    }
    table = pa.table(columns, schema=prediction_schema(classes))
    split = np.where(samples.fold[rows] == TEST, "test", "train")
    return table.append_column(SPLIT, pa.array(split, pa.string()))


def logits_of(table: pa.Table) -> npt.NDArray[np.float32]:
    """Give the logits of a prediction table as float32 [rows, classes]."""
    column = table["logits"].combine_chunks()
    return np.asarray(column.flatten(), dtype=np.float32).reshape(-1, column.type.list_size)
