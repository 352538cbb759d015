"""Resamples are of patients, repeatable, and their intervals hold what they promise."""

import numpy as np
import pytest

from raymed.evaluation import bootstrap, estimates, metrics, patient_resamples
from raymed.evaluation.bootstrap import CELLS_PER_CHUNK
from raymed.evaluation.rows import read_rows

RIGHT, WRONG = [0.9, 0.1], [0.1, 0.9]


def outcomes(right, per_patient=1):
    """One class-0 row (or several the same) a patient, predicted right or wrong."""
    rows = np.repeat(np.where(np.asarray(right)[:, None], RIGHT, WRONG), per_patient, axis=0)
    patients = np.repeat(np.arange(len(right)), per_patient)
    return read_rows(rows, np.zeros(len(rows), dtype=int), patients.tolist())


def accuracy_interval(rows, draws=1000, seed=0):
    values = bootstrap({"accuracy": metrics.accuracy(rows)}, rows, draws, seed)["accuracy"]
    found, _ = estimates.estimate("accuracy", values, [estimates.everyone(rows)])
    return found.low, found.high


def test_a_draw_holds_as_many_patients_as_there_are():
    weights = np.concatenate(list(patient_resamples(7, 50, seed=0, chunk=50)))
    assert weights.shape == (50, 7)
    assert (weights.sum(axis=1) == 7).all()


def test_every_patient_is_drawn_once_on_average():
    weights = np.concatenate(list(patient_resamples(10, 20_000, seed=0, chunk=20_000)))
    # Binomial(10, 1/10): mean 1, variance 0.9; the mean of 20,000 has a standard error of 0.0067.
    assert weights.mean(axis=0) == pytest.approx(np.ones(10), abs=0.03)
    assert weights.var(axis=0) == pytest.approx(np.full(10, 0.9), abs=0.05)


@pytest.mark.parametrize("chunk", [1, 3, 50, 1000])
def test_draws_do_not_depend_on_the_chunk(chunk):
    whole = np.concatenate(list(patient_resamples(7, 50, seed=4, chunk=50)))
    assert (np.concatenate(list(patient_resamples(7, 50, seed=4, chunk=chunk))) == whole).all()


def test_another_seed_draws_other_patients():
    first, second = (next(patient_resamples(20, 10, seed, chunk=10)) for seed in (0, 1))
    assert (first != second).any()


def test_the_first_value_is_the_point_estimate():
    rows = outcomes([True, True, True, False])
    assert bootstrap({"accuracy": metrics.accuracy(rows)}, rows, 5, 0)["accuracy"][0] == 0.75


def test_a_table_of_several_chunks_gives_one_value_a_draw():
    rows = outcomes(np.arange(100) % 2 == 0, per_patient=CELLS_PER_CHUNK // 100 // 3)
    values = bootstrap({"accuracy": metrics.accuracy(rows)}, rows, 10, 0)["accuracy"]
    assert values.shape == (11,)


def test_more_rows_of_the_same_patients_do_not_narrow_the_interval():
    right = np.arange(20) % 2 == 0
    once, often = accuracy_interval(outcomes(right)), accuracy_interval(outcomes(right, 50))
    assert once == often
    # 1,000 independent rows would give 2 * 1.96 * sqrt(0.25 / 1000) = 0.062;
    # 20 patients give 2 * 1.96 * sqrt(0.25 / 20) = 0.438.
    assert 0.35 < often[1] - often[0] < 0.53


def test_the_interval_covers_the_truth_95_times_in_100():
    rng = np.random.default_rng(5)
    truth, runs, covered = 0.7, 300, 0
    for run in range(runs):
        rows = outcomes(rng.random(100) < truth, per_patient=3)
        low, high = accuracy_interval(rows, draws=300, seed=run)
        covered += low <= truth <= high
    assert covered / runs == pytest.approx(0.95, abs=0.04)
