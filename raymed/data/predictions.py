"""The table of predictions: what a fold's model said of samples it never saw."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from raymed.data.folds import TEST
from raymed.data.samples import SampleColumns

Level = Literal["image", "patient"]
LEVELS: tuple[Level, ...] = ("image", "patient")
"""A prediction is that of an image by itself, or the mean over a patient's."""
SPLIT = "split"


EXTRAS = "extras"
"""The column of what a member says beside its logits: of evidential ones alone."""


def prediction_schema(classes: int, *, extras: bool = False) -> pa.Schema:
    """Return the schema of out-of-fold rows; logits are float32 [classes].

    `extras` hold `belief` float32 [classes] and `uncertainty`, which add up to 1, and `expected`
    float32 [classes], the expected probabilities (Sensoy et al. 2018).
    """
    words, of_class = pa.dictionary(pa.int32(), pa.string()), pa.list_(pa.float32(), classes)
    opinion = {"belief": of_class, "uncertainty": pa.float32(), "expected": of_class}
    return pa.schema(
        [
            ("sample_id", pa.string()),
            ("patient", words),
            ("site", words),
            ("member", words),
            ("fold", pa.int16()),
            ("label", pa.int16()),
            ("seed", pa.int32()),
            ("logits", of_class),
            *([(EXTRAS, pa.struct(opinion))] if extras else []),
        ]
    )


def opinion_of(
    logits: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Read belief [.., classes], uncertainty [..] and expected probabilities from log(alpha).

    With S the sum of alpha: belief (alpha - 1) / S, uncertainty classes / S, expected alpha / S.
    """
    alpha = np.exp(np.asarray(logits, dtype=np.float64))
    strength = alpha.sum(-1, keepdims=True)
    return (alpha - 1) / strength, logits.shape[-1] / strength[..., 0], alpha / strength


def prediction_table(
    samples: SampleColumns,
    rows: npt.NDArray[np.int64],
    logits: npt.NDArray[np.float32],
    *,
    member: str,
    fold: int,
    seed: int,
    evidential: bool = False,
) -> pa.Table:
    """Write down the logits [rows, classes] of one fold's model, with the split of each row."""
    classes, count = logits.shape[1], len(rows)
    columns = {
        "sample_id": pa.array(samples.sample_ids[rows], pa.string()),
        "patient": pa.array(samples.patients[rows], pa.string()).dictionary_encode(),
        "site": pa.array(samples.sites[rows], pa.string()).dictionary_encode(),
        "member": pa.array([member] * count, pa.string()).dictionary_encode(),
        "fold": pa.array(np.full(count, fold, dtype=np.int16)),
        "label": pa.array(samples.labels[rows].astype(np.int16)),
        "seed": pa.array(np.full(count, seed, dtype=np.int32)),
        "logits": lists_of(logits),
    }
    if evidential:
        belief, uncertainty, expected = opinion_of(logits)
        parts = [lists_of(belief), pa.array(uncertainty, pa.float32()), lists_of(expected)]
        columns[EXTRAS] = pa.StructArray.from_arrays(parts, ["belief", "uncertainty", "expected"])
    table = pa.table(columns, schema=prediction_schema(classes, extras=evidential))
    split = np.where(samples.fold[rows] == TEST, "test", "train")
    return table.append_column(SPLIT, pa.array(split, pa.string()))


def lists_of(values: npt.NDArray[Any]) -> pa.FixedSizeListArray:
    """Make values [rows, classes] a column of float32 lists."""
    flat = pa.array(np.ascontiguousarray(values, dtype=np.float32).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def logits_of(table: pa.Table) -> npt.NDArray[np.float32]:
    """Give the logits of a prediction table as float32 [rows, classes]."""
    column = table["logits"].combine_chunks()
    return np.asarray(column.flatten(), dtype=np.float32).reshape(-1, column.type.list_size)
