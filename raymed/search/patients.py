"""The paired test over patients: is a trial worse than the best one, on the same people?"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]
TINY = 1e-15
FLIPS_AT_ONCE = 1_000_000
MIN_PATIENTS = 6
"""With 5 or fewer a one-sided p is hardly below 0.05, whatever the losses."""


@dataclass(frozen=True)
class OofRows:
    """A trial's out-of-fold predictions so far: a sample, its patient, label and probabilities.

    `samples` and `patients` are names [rows], `labels` integers [rows], `probabilities`
    [rows, classes].
    """

    samples: npt.NDArray[np.str_]
    patients: npt.NDArray[np.str_]
    labels: npt.NDArray[np.int64]
    probabilities: FloatArray

    def losses(self) -> FloatArray:
        """Give each row's log loss [rows]."""
        own = self.probabilities[np.arange(len(self.labels)), self.labels]
        return np.asarray(-np.log(np.clip(own, TINY, 1.0)))


def worse_by_patient(
    trial: OofRows, best: OofRows, p: float = 0.05, draws: int = 2000, seed: int = 0
) -> bool:
    """Tell whether a trial is surely worse than the best one by log loss, over the same patients.

    Only samples that both have predicted count, so budgets are equal; never with fewer than
    `MIN_PATIENTS` patients.
    """
    differences = patient_differences(trial, best)
    if len(differences) < MIN_PATIENTS:
        return False
    return worse_p_value(differences, draws, seed) < p


def patient_differences(trial: OofRows, best: OofRows) -> FloatArray:
    """Give each patient's mean log loss of the trial above that of the best [patients]."""
    _, own, other = np.intersect1d(
        trial.samples, best.samples, assume_unique=True, return_indices=True
    )
    apart = trial.losses()[own] - best.losses()[other]
    _, patient = np.unique(trial.patients[own], return_inverse=True)
    return np.asarray(np.bincount(patient, apart) / np.bincount(patient))


def worse_p_value(differences: FloatArray, draws: int, seed: int) -> float:
    """One-sided p of a mean difference above zero, if which trial is which did not matter.

    Each draw exchanges both trials' losses of about half of the patients (Good 2005).
    """
    observed = float(differences.sum())
    rng, far = np.random.default_rng(seed), 0
    chunk = max(1, FLIPS_AT_ONCE // len(differences))
    for start in range(0, draws, chunk):
        flips = rng.random((min(chunk, draws - start), len(differences))) < 0.5
        far += int((np.where(flips, -1.0, 1.0) @ differences >= observed - 1e-12).sum())
    return (1 + far) / (1 + draws)
