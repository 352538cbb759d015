"""From samples to patients."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from raymed.errors import InputError
from raymed.evaluation.rows import FloatArray, IntArray, Rows, StrArray, read_rows


@dataclass(frozen=True, eq=False)
class PatientLevel:
    """A row per patient and label, sorted by them."""

    probabilities: FloatArray  # [rows, classes], each row sums to 1
    labels: IntArray  # [rows]
    patients: StrArray  # [rows]; a patient with several labels comes once for each


def to_patient_level(
    probabilities: ArrayLike, labels: ArrayLike, patients: Iterable[object]
) -> PatientLevel:
    """Average the probabilities [samples, classes] of a patient's samples; renormalise.

    The samples of a patient that carry different labels (a finding that comes and goes) make a row
    for each label; both keep the patient's id, so that the bootstrap draws them together.
    Raises InputError as `read_rows` does.
    """
    return average_by_patient(read_rows(probabilities, labels, patients))


def average_by_patient(rows: Rows) -> PatientLevel:
    """As `to_patient_level`, of rows already checked."""
    pairs, pair = np.unique(rows.patient * rows.classes + rows.labels, return_inverse=True)
    sums = np.stack(
        [
            np.bincount(pair, weights=column, minlength=len(pairs))
            for column in rows.probabilities.T
        ],
        axis=1,
    )
    return PatientLevel(
        probabilities=sums / sums.sum(axis=1, keepdims=True),
        labels=pairs % rows.classes,
        patients=rows.patient_ids[pairs // rows.classes],
    )


def class_prior(labels: ArrayLike, classes_count: int, patients: Iterable[object]) -> FloatArray:
    """Share of rows by class [classes_count], each patient counting the same whatever its rows.

    It is the prediction of someone who has seen labels but no image: the row to beat.
    Raises InputError where shapes disagree or a label is outside 0..classes_count-1.
    """
    integers = np.asarray(labels)
    if classes_count < 2:
        raise InputError("classes_count", f"{classes_count} is too few", "give at least 2")
    # Any probabilities do: only labels and patients are read.
    flat = np.full((integers.size, classes_count), 1 / classes_count)
    rows = read_rows(flat, integers, patients)
    one_hot = np.eye(classes_count)[rows.labels]
    rows_of_patient = rows.per_patient(np.ones(len(rows.labels)))
    shares: FloatArray = one_hot / rows_of_patient[rows.patient, np.newaxis]
    return np.asarray(shares.sum(axis=0) / rows.patients, dtype=np.float64)
