"""A choice and what else there was are scored on the same patients."""

import numpy as np
import pytest

from raymed.evaluation import score_choice

PATIENTS = np.repeat([f"p{number}" for number in range(12)], 2)
LABELS = np.ones(24, dtype=np.int64)


def shares(own: float) -> np.ndarray:
    return np.tile([1 - own, own], (24, 1))


def test_what_is_better_for_every_patient_is_a_gain_and_the_other_way_round_is_none() -> None:
    better = score_choice(shares(0.8), shares(0.5), LABELS, PATIENTS, level="patient", draws=100)

    assert better.apart is not None
    assert better.apart.value == pytest.approx(np.log(0.5 / 0.8))
    assert better.gained
    worse = score_choice(shares(0.5), shares(0.8), LABELS, PATIENTS, level="patient", draws=100)
    assert not worse.gained


def test_a_choice_that_is_what_there_was_gains_nothing() -> None:
    same = score_choice(shares(0.8), shares(0.8), LABELS, PATIENTS, level="patient", draws=100)

    assert same.apart is not None
    assert (same.apart.value, same.apart.low, same.apart.high) == (0, 0, 0)
    assert not same.gained


def test_too_few_patients_gain_nothing() -> None:
    few = PATIENTS[:6]
    found = score_choice(shares(0.8)[:6], shares(0.5)[:6], LABELS[:6], few, level="patient")

    assert found.apart is not None
    assert found.apart.high is None
    assert not found.gained


def test_alone_a_choice_has_its_own_figure_and_no_gain() -> None:
    alone = score_choice(shares(0.8), None, LABELS, PATIENTS, level="image", draws=100)

    assert alone.chosen.value == pytest.approx(-np.log(0.8))
    assert (alone.other, alone.apart, alone.gained) == (None, None, False)
