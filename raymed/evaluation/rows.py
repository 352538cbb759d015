"""The rows that every metric reads, checked at the door."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from raymed.errors import InputError

BoolArray = NDArray[np.bool_]
FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
StrArray = NDArray[np.str_]

SUM_TOLERANCE = 1e-3


@dataclass(frozen=True, eq=False)
class Rows:
    """Checked predictions: a row is a sample, or a patient at patient level.

    The rows lie in an order that depends on their content alone, so that sums, and hence all
    figures, are the same to the last bit however the caller ordered them.
    """

    probabilities: FloatArray  # [rows, classes]
    labels: IntArray  # [rows], 0..classes-1
    patient: IntArray  # [rows], position in patient_ids
    patient_ids: StrArray  # [patients], sorted

    @property
    def patients(self) -> int:
        """How many distinct patients there are."""
        return len(self.patient_ids)

    @property
    def classes(self) -> int:
        """How many classes there are, present or not."""
        return int(self.probabilities.shape[1])

    @cached_property
    def predicted(self) -> IntArray:
        """The most probable class of each row [rows]; the first of equals."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def per_patient(self, values: ArrayLike) -> FloatArray:
        """Sum values [rows] by patient: [patients]."""
        terms = np.asarray(values, dtype=np.float64)
        return np.bincount(self.patient, weights=terms, minlength=self.patients).astype(np.float64)

    def patients_with(self, mask: NDArray[np.bool_]) -> int:
        """Count the patients that have at least one of the rows in mask [rows]."""
        return len(np.unique(self.patient[mask]))


def read_rows(probabilities: ArrayLike, labels: ArrayLike, patients: Iterable[object]) -> Rows:
    """Check probabilities [rows, classes], labels [rows] and patients [rows]; put them in order.

    Raises InputError where shapes disagree, there is no row, a probability is not finite or is
    negative, a row's sum is further than 1e-3 from 1, a label is no class, or a patient is missing.
    """
    checked = _read_probabilities(probabilities)
    integers = _read_labels(labels, checked)
    names = _read_patients(patients, len(checked))
    patient_ids, patient = np.unique(names, return_inverse=True)
    order = np.lexsort((*checked.T, integers, patient))
    return Rows(
        probabilities=checked[order],
        labels=integers[order],
        patient=patient[order].astype(np.int64),
        patient_ids=patient_ids,
    )


def _read_probabilities(probabilities: ArrayLike) -> FloatArray:
    place = "probabilities"
    table = np.asarray(probabilities, dtype=np.float64)
    if table.ndim != 2:
        raise InputError(place, f"shape {table.shape} is not [rows, classes]")
    if len(table) == 0:
        raise InputError(place, "there are no rows to score", "check that the table is not empty")
    if table.shape[1] < 2:
        raise InputError(
            place,
            f"{table.shape[1]} class in shape {table.shape}, at least 2 are needed",
            "give a two-class problem two columns",
        )
    bad = np.argwhere(~np.isfinite(table) | (table < 0))
    if len(bad):
        row, column = (int(index) for index in bad[0])
        raise InputError(
            place,
            f"row {row}, class {column} is {table[row, column]}, not a probability",
            "pass softmax outputs, not logits",
        )
    sums = table.sum(axis=1)
    off = np.flatnonzero(np.abs(sums - 1) > SUM_TOLERANCE)
    if len(off):
        raise InputError(
            place,
            f"row {off[0]} sums to {sums[off[0]]:.6g}, not 1",
            "pass softmax outputs over all classes",
        )
    return table


def _read_labels(labels: ArrayLike, probabilities: FloatArray) -> IntArray:
    place = "labels"
    rows, classes = probabilities.shape
    integers = np.asarray(labels)
    if integers.shape != (rows,):
        raise InputError(place, f"shape {integers.shape} where probabilities have {rows} rows")
    if integers.dtype.kind not in "iu":
        raise InputError(
            place, f"type {integers.dtype} is not integer", "give each row its class index"
        )
    outside = np.flatnonzero((integers < 0) | (integers >= classes))
    if len(outside):
        raise InputError(
            place,
            f"row {outside[0]} has label {integers[outside[0]]}, outside 0..{classes - 1}",
            "labels are positions in the list of classes",
        )
    return integers.astype(np.int64)


def _read_patients(patients: Iterable[object], rows: int) -> StrArray:
    place = "patients"
    names = list(patients)
    if len(names) != rows:
        raise InputError(place, f"{len(names)} patients where probabilities have {rows} rows")
    for row, name in enumerate(names):
        if name is None or name != name:
            raise InputError(
                place, f"row {row} has no patient ({name})", "give each row the patient it is of"
            )
    return np.asarray([str(name) for name in names], dtype=np.str_)
