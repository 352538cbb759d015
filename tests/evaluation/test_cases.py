"""The surest cases: who they are, one a patient, and spread over classes."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from raymed.errors import InputError
from raymed.evaluation import surest_cases

# patient, label, probability of class 0
SAMPLES = [
    ("a", 0, 0.30),  # a: mean 0.2, wrong with 0.8
    ("a", 0, 0.10),  # ... and this image is the wronger
    ("b", 1, 0.95),  # wrong with 0.95
    ("c", 0, 0.99),  # right with 0.99
    ("d", 0, 0.90),  # right with 0.90
    ("e", 1, 0.40),  # right with 0.60
    ("f", 1, 0.60),  # wrong with 0.60
]
PATIENTS, LABELS, FIRST = (np.array(column) for column in zip(*SAMPLES, strict=True))
PROBABILITIES = np.stack([FIRST, 1 - FIRST], axis=1)


def test_the_surest_mistakes_come_first_then_the_surest_right_answers_of_each_class() -> None:
    cases = surest_cases(PROBABILITIES, LABELS, PATIENTS, most=2)

    assert [PATIENTS[case.shown] for case in cases] == ["b", "a", "c", "e"]  # not d: class 1 is due
    assert [case.right for case in cases] == [False, False, True, True]
    assert [case.probability for case in cases] == pytest.approx([0.95, 0.8, 0.99, 0.6])
    assert [(case.label, case.predicted) for case in cases] == [(1, 0), (0, 1), (0, 0), (1, 1)]


def test_a_patient_is_shown_by_the_sample_that_gives_the_predicted_class_the_most() -> None:
    case = surest_cases(PROBABILITIES, LABELS, PATIENTS, most=2)[1]

    assert_array_equal(case.rows, [0, 1])
    assert case.shown == 1


def test_all_there_are_come_where_more_are_wanted_and_none_for_none() -> None:
    assert len(surest_cases(PROBABILITIES, LABELS, PATIENTS, most=9)) == 6
    assert surest_cases(PROBABILITIES, LABELS, PATIENTS, most=0) == []


def test_a_patient_of_two_labels_comes_once_as_the_mistake() -> None:
    cases = surest_cases([[0.9, 0.1], [0.8, 0.2]], [0, 1], ["p", "p"], most=3)

    assert [(case.right, case.shown) for case in cases] == [(False, 1)]


def test_what_is_no_table_of_probabilities_is_refused() -> None:
    with pytest.raises(InputError, match="pass softmax outputs"):
        surest_cases([[2.0, -1.0]], [0], ["p"], most=1)


@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.integers(2, 4))
def test_no_case_that_was_left_out_is_surer(seed: int, most: int, classes: int) -> None:
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.ones(classes), 40)
    labels, patients = rng.integers(0, classes, 40), rng.integers(0, 25, 40)

    cases = surest_cases(probabilities, labels, patients, most)

    shown = [int(patients[case.shown]) for case in cases]
    assert len(set(shown)) == len(shown)
    mistakes = [case for case in cases if not case.right]
    every = [case for case in surest_cases(probabilities, labels, patients, 40) if not case.right]
    assert len(mistakes) == min(most, len(every))
    assert [each.shown for each in mistakes] == [each.shown for each in every[:most]]
    assert all(a.probability >= b.probability for a, b in pairwise(every))
    for case in cases:
        assert case.shown in case.rows
        assert set(labels[case.rows]) == {case.label}
        assert len(set(patients[case.rows])) == 1
        mean = probabilities[case.rows].mean(axis=0)
        assert (case.predicted, case.probability) == (mean.argmax(), pytest.approx(mean.max()))
