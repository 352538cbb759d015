"""Resamples of patients, and every metric's value in each of them."""

from collections.abc import Hashable, Iterator, Mapping
from typing import TypeVar

import numpy as np

from raymed.evaluation.metrics import WeightedMetric
from raymed.evaluation.rows import FloatArray, Rows

Key = TypeVar("Key", bound=Hashable)

# Numbers in one array of a chunk; AUROC holds about five such arrays at once.
CELLS_PER_CHUNK = 1_000_000


def patient_resamples(patients: int, draws: int, seed: int, chunk: int) -> Iterator[FloatArray]:
    """Yield how often each patient is drawn: weights [up to chunk, patients], draws in all.

    A draw takes as many patients as there are, with replacement; all rows of a patient share its
    weight, for rows of one patient are not independent. The draws do not depend on chunk.
    """
    rng = np.random.default_rng(seed)
    for start in range(0, draws, chunk):
        size = min(chunk, draws - start)
        drawn = rng.integers(patients, size=(size, patients))
        cells = drawn + patients * np.arange(size)[:, np.newaxis]
        counts = np.bincount(cells.ravel(), minlength=size * patients)
        yield counts.reshape(size, patients).astype(np.float64)


def bootstrap(
    metrics: Mapping[Key, WeightedMetric], rows: Rows, draws: int, seed: int
) -> dict[Key, FloatArray]:
    """Compute metrics on rows and on resamples of their patients: [1 + draws] each.

    The first value is the point estimate, where each patient has weight one; NaN is undefined.
    """
    everyone = np.ones((1, rows.patients))
    values = {key: [metric(everyone)] for key, metric in metrics.items()}
    chunk = max(1, CELLS_PER_CHUNK // len(rows.labels))
    for weights in patient_resamples(rows.patients, draws, seed, chunk):
        for key, metric in metrics.items():
            values[key].append(metric(weights))
    return {key: np.concatenate(chunks) for key, chunks in values.items()}
