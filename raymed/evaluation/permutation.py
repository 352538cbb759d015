"""Permutation tests by patient: which of two models a prediction is of, who is in a group."""

from collections.abc import Callable

import numpy as np

from raymed.evaluation.metrics import WeightedMetric
from raymed.evaluation.rows import BoolArray, Rows, StrArray, read_rows

CELLS_PER_CHUNK = 1_000_000


def permutation_p_value(
    a: Rows, b: Rows, metric: Callable[[Rows], WeightedMetric], draws: int, seed: int
) -> float | None:
    """Two-sided p of metric(a) - metric(b), if it did not matter which model a prediction is of.

    Each draw exchanges both models' rows of about half of the patients, all rows of a patient
    together (Good 2005). p = (1 + draws at least as far apart) / (1 + draws), so never below
    1 / (1 + draws); None where the metric is undefined, or without draws.
    """
    if draws < 1:
        return None
    joint = read_rows(
        np.concatenate([a.probabilities, b.probabilities]),
        np.concatenate([a.labels, b.labels]),
        [*_marked("a", a.patient_ids[a.patient]), *_marked("b", b.patient_ids[b.patient])],
    )  # the patients of a, then those of b, each in the same order
    value = metric(joint)
    own = np.concatenate([np.ones(a.patients), np.zeros(b.patients)])[np.newaxis]
    observed = abs(float((value(own) - value(1 - own))[0]))
    if np.isnan(observed):
        return None
    rng, far = np.random.default_rng(seed), 0
    chunk = max(1, CELLS_PER_CHUNK // len(joint.labels))
    for start in range(0, draws, chunk):
        exchanged = rng.random((min(chunk, draws - start), a.patients)) < 0.5
        first = np.concatenate([~exchanged, exchanged], axis=1).astype(np.float64)
        apart = np.abs(value(first) - value(1 - first))
        far += int((apart >= observed - 1e-12).sum())
    return (1 + far) / (1 + draws)


def membership_p_value(
    metric: WeightedMetric, inside: BoolArray, rows: int, draws: int, seed: int
) -> float | None:
    """Two-sided p of metric(group) - metric(others), if it did not matter who is in the group.

    Each draw gives the group's places, inside [patients], to as many other patients. `metric` is
    of all rows, of which there are `rows`. p as in `permutation_p_value`, over the draws in which
    the metric is defined; None where it is not, or without draws.
    """
    own = inside.astype(np.float64)[np.newaxis]
    observed = abs(float((metric(own) - metric(1 - own))[0]))
    if draws < 1 or np.isnan(observed):
        return None
    rng, far, defined = np.random.default_rng(seed), 0, 0
    chunk = max(1, CELLS_PER_CHUNK // rows)
    for start in range(0, draws, chunk):
        drawn = rng.permuted(np.repeat(own, min(chunk, draws - start), axis=0), axis=1)
        apart = np.abs(metric(drawn) - metric(1 - drawn))
        far += int((apart >= observed - 1e-12).sum())
        defined += int((~np.isnan(apart)).sum())
    return (1 + far) / (1 + defined)


def _marked(model: str, patients: StrArray) -> list[str]:
    return [f"{model} {patient}" for patient in patients]
