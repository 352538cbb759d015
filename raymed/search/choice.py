"""Which finished trials to stack: a greedy choice of members that are good together."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from raymed.errors import InputError

FloatArray = npt.NDArray[np.float64]
TINY = 1e-15
TIE = 1e-12


def choose_diverse(
    oof_probabilities: Mapping[int, FloatArray],
    labels: npt.NDArray[np.int64],
    patients: npt.NDArray[np.str_],
    count: int,
) -> list[int]:
    """Choose up to `count` trials, best first, each the one whose vote helps the chosen most.

    Forward selection (Caruana et al. 2004, ICML) without replacement by the log loss of the mean
    of probabilities, every patient counting once. `oof_probabilities` are [rows, classes] by
    trial's number, rows in the order of `labels` and `patients`. Of equals the better single goes
    first, then the earlier. Nothing is trained, nothing is random.
    """
    numbers = sorted(oof_probabilities)
    if not numbers:
        raise InputError("search", "no trial is complete, so none can be chosen", "tune further")
    rows = np.arange(len(labels))
    own = np.stack([oof_probabilities[number][rows, labels] for number in numbers], axis=1)
    weights = _patient_weights(patients)
    single = _losses(own, weights)
    chosen: list[int] = []
    total = np.zeros(len(labels))
    while len(chosen) < min(count, len(numbers)):
        losses = _losses((total[:, None] + own) / (len(chosen) + 1), weights)
        losses[chosen] = np.inf
        equals = np.flatnonzero(losses <= losses.min() + TIE)
        best = int(equals[np.argmin(single[equals])])
        chosen.append(best)
        total += own[:, best]
    return [numbers[place] for place in chosen]


def _patient_weights(patients: npt.NDArray[np.str_]) -> FloatArray:
    """Give each row its share, so that every patient counts once [rows]."""
    _, patient, counts = np.unique(patients, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / (counts[patient] * len(counts)))


def _losses(own: FloatArray, weights: FloatArray) -> FloatArray:
    """Give the log loss of each column, the true class's probabilities [rows, members]."""
    return np.asarray(-(weights @ np.log(np.maximum(own, TINY))))
