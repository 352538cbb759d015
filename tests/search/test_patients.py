"""The paired test over patients finds what is surely worse, and nothing else."""

import numpy as np
import pytest

from raymed.search import OofRows, worse_by_patient
from raymed.search.patients import patient_differences, worse_p_value


def rows(own: list[float], patients: list[str], samples: list[str] | None = None) -> OofRows:
    """Two classes, all of class 1, whose probability is given."""
    names = samples or [f"s{place}" for place in range(len(own))]
    return OofRows(
        np.array(names),
        np.array(patients),
        np.ones(len(own), dtype=np.int64),
        np.array([[1 - p, p] for p in own]),
    )


PATIENTS = [f"p{number}" for number in range(12)]


def test_what_is_worse_for_every_patient_is_worse() -> None:
    best, trial = rows([0.9] * 12, PATIENTS), rows([0.8] * 12, PATIENTS)

    assert worse_by_patient(trial, best)
    assert not worse_by_patient(best, trial)
    assert not worse_by_patient(best, best)


def test_what_is_worse_for_half_of_them_is_not() -> None:
    assert not worse_by_patient(rows([0.8, 0.95] * 6, PATIENTS), rows([0.9, 0.9] * 6, PATIENTS))


def test_few_patients_are_never_enough_however_many_images_they_have() -> None:
    few = [f"p{number % 5}" for number in range(100)]

    assert not worse_by_patient(rows([0.1] * 100, few), rows([0.9] * 100, few))


def test_a_patient_counts_once_and_rows_are_paired_by_sample() -> None:
    trial = rows([0.5, 0.25, 0.5], ["a", "a", "b"], ["1", "2", "3"])
    best = rows([0.5, 0.5, 0.5, 0.9], ["b", "a", "a", "c"], ["3", "2", "1", "4"])

    # a: log losses log 2 and log 4 against log 2 twice: on average log(2) / 2 above; b: equal
    assert patient_differences(trial, best) == pytest.approx([np.log(2) / 2, 0.0])


def test_a_probability_of_zero_is_a_large_loss_and_not_an_infinite_one() -> None:
    assert worse_by_patient(rows([0.0] * 12, PATIENTS), rows([0.9] * 12, PATIENTS))


def test_p_is_that_of_all_exchanges() -> None:
    # of 2**6 sign patterns only the observed one reaches the sum: p = 1/64
    assert worse_p_value(np.ones(6), 20_000, 0) == pytest.approx(1 / 64, abs=0.004)
    assert worse_p_value(np.zeros(6), 100, 0) == 1.0


def test_equal_trials_are_called_worse_as_often_as_p_says() -> None:
    rng = np.random.default_rng(0)
    p_values = [worse_p_value(rng.normal(size=30), 200, seed) for seed in range(400)]

    # 5 % of 400 are 20, standard deviation 4.4
    assert 8 <= sum(p < 0.05 for p in p_values) <= 34
