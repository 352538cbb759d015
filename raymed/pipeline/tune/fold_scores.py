"""What a fold of a trial is worth: its held-out log loss, of patients where they are known."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
from scipy.special import softmax

from raymed.data.predictions import logits_of
from raymed.ensemble import member_rows
from raymed.evaluation import to_patient_level
from raymed.search import OofRows
from raymed.tables import read_parquet


def held_out_rows(attempts: Sequence[Path]) -> OofRows:
    """Read the held-out predictions of a trial's folds."""
    parts = [read_parquet(attempt / "predictions.parquet") for attempt in attempts]
    return rows_of(member_rows(parts, "train"))


def rows_of(table: pa.Table) -> OofRows:
    """Take samples, patients, labels and probabilities from a prediction table."""
    return OofRows(
        table["sample_id"].to_numpy().astype(str),
        table["patient"].to_numpy().astype(str),
        table["label"].to_numpy().astype(np.int64),
        np.asarray(softmax(logits_of(table).astype(np.float64), axis=1)),
    )


def log_loss_of(rows: OofRows, *, by_patient: bool) -> float:
    """Give the mean log loss in nats, of patients' mean probabilities or of images."""
    return float((people_of(rows) if by_patient else rows).losses().mean())


def people_of(rows: OofRows) -> OofRows:
    """Average a patient's images: a row a patient and label, named after the patient."""
    people = to_patient_level(rows.probabilities, rows.labels, rows.patients.tolist())
    return OofRows(people.patients, people.patients, people.labels, people.probabilities)
