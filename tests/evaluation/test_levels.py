"""From samples to patients."""

import numpy as np
import pytest

from raymed.errors import InputError
from raymed.evaluation import class_prior, to_patient_level


def test_a_patients_probabilities_are_the_mean_of_its_samples():
    table = to_patient_level([[0.8, 0.2], [0.1, 0.9], [0.4, 0.6]], [0, 1, 0], ["b", "a", "b"])
    assert table.patients.tolist() == ["a", "b"]
    assert table.labels.tolist() == [1, 0]
    assert table.probabilities == pytest.approx(np.array([[0.1, 0.9], [0.6, 0.4]]))


def test_patient_rows_sum_to_one_where_samples_did_so_within_tolerance():
    table = to_patient_level([[0.5005, 0.5], [0.5, 0.4995]], [0, 0], ["a", "a"])
    assert table.probabilities.sum() == pytest.approx(1, abs=1e-15)


def test_a_patient_with_two_labels_has_a_row_for_each_and_keeps_its_id():
    table = to_patient_level([[0.8, 0.2], [0.1, 0.9], [0.6, 0.4]], [0, 1, 0], ["a", "a", "a"])
    assert table.patients.tolist() == ["a", "a"]
    assert table.labels.tolist() == [0, 1]
    assert table.probabilities == pytest.approx(np.array([[0.7, 0.3], [0.1, 0.9]]))


def test_the_prior_counts_each_patient_the_same():
    # Patient a: three rows of class 0; b: one of class 1; c: one of each: (1 + 0 + 1/2) / 3 = 0.5.
    prior = class_prior([0, 0, 0, 1, 0, 1], 3, ["a", "a", "a", "b", "c", "c"])
    assert prior == pytest.approx(np.array([0.5, 0.5, 0.0]))


def test_a_prior_of_a_label_that_is_no_class_is_refused():
    with pytest.raises(InputError, match=r"labels: row 1 has label 2, outside 0\.\.1"):
        class_prior([0, 2], 2, ["a", "b"])


def test_a_prior_over_one_class_is_refused():
    with pytest.raises(InputError, match="classes_count: 1 is too few"):
        class_prior([0], 1, ["a"])
