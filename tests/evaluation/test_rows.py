"""What is refused at the door, and how it is said."""

import numpy as np
import pytest

from raymed.errors import InputError
from raymed.evaluation.rows import read_rows

GOOD = [[0.5, 0.5], [0.2, 0.8]]


@pytest.mark.parametrize(
    ("probabilities", "labels", "patients", "message"),
    [
        ([0.5, 0.5], [0], ["a"], r"probabilities: shape \(2,\) is not \[rows, classes\]"),
        (np.empty((0, 2)), [], [], "probabilities: there are no rows"),
        ([[1.0], [1.0]], [0, 0], ["a", "b"], "probabilities: 1 class in shape"),
        ([[0.5, 0.5], [np.nan, 1]], [0, 1], ["a", "b"], "row 1, class 0 is nan.*softmax"),
        ([[0.5, 0.5], [1.2, -0.2]], [0, 1], ["a", "b"], "row 1, class 1 is -0.2"),
        ([[0.5, 0.5], [np.inf, 0]], [0, 1], ["a", "b"], "row 1, class 0 is inf"),
        ([[0.5, 0.5], [0.5, 0.6]], [0, 1], ["a", "b"], "row 1 sums to 1.1, not 1; pass softmax"),
        (GOOD, [0], ["a", "b"], r"labels: shape \(1,\) where probabilities have 2 rows"),
        (GOOD, [0, 2], ["a", "b"], r"labels: row 1 has label 2, outside 0\.\.1"),
        (GOOD, [-1, 0], ["a", "b"], r"labels: row 0 has label -1, outside 0\.\.1"),
        (GOOD, [0.0, 1.0], ["a", "b"], "labels: type float64 is not integer"),
        (GOOD, [0, 1], ["a"], "patients: 1 patients where probabilities have 2 rows"),
        (GOOD, [0, 1], ["a", None], r"patients: row 1 has no patient \(None\)"),
        (GOOD, [0, 1], [float("nan"), "b"], r"patients: row 0 has no patient \(nan\)"),
    ],
)
def test_a_table_that_cannot_be_scored_is_refused(probabilities, labels, patients, message):
    with pytest.raises(InputError, match=message):
        read_rows(probabilities, labels, patients)


def test_a_sum_within_a_thousandth_of_one_is_taken():
    assert read_rows([[0.5, 0.5009]], [0], ["a"]).classes == 2


def test_patients_are_told_apart_by_their_written_name():
    assert read_rows([[0.5, 0.5]] * 3, [0, 0, 1], [1, "1", "01"]).patients == 2
