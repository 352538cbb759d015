"""How members err together, against scikit-learn and by hand."""

import numpy as np
import pytest
from sklearn.metrics import accuracy_score

from raymed.errors import InputError
from raymed.evaluation.diversity import Pattern, pairs, patterns, repairs

LABELS = np.array([0, 0, 1, 1, 2, 2])
A = np.array([0, 0, 1, 0, 0, 0])  # right about rows 0 1 2
B = np.array([0, 1, 1, 1, 0, 1])  # right about rows 0 2 3


def test_two_members_by_hand() -> None:
    """Both right: 0, 2; only a: 1; only b: 3; neither: 4, 5. Q = (2*2 - 1*1) / (2*2 + 1*1)."""
    (pair,) = pairs(["a", "b"], np.stack([A, B], axis=1), LABELS)

    assert pair.agreement == pytest.approx(accuracy_score(A, B))  # the same class: rows 0, 2, 4
    assert pair.disagreement == pytest.approx(2 / 6)
    assert pair.double_fault == pytest.approx(2 / 6)
    assert pair.q == pytest.approx(3 / 5)


def test_members_without_a_fault_have_no_q() -> None:
    (pair,) = pairs(["a", "b"], np.stack([LABELS, LABELS], axis=1), LABELS)

    assert (pair.agreement, pair.double_fault, pair.q) == (1.0, 0.0, None)


def test_every_row_has_one_pattern() -> None:
    found = patterns(["a", "b"], np.stack([A, B], axis=1), LABELS)

    assert found == [
        Pattern(("a", "b"), 2),
        Pattern(("a",), 1),
        Pattern(("b",), 1),
        Pattern((), 2),
    ]


def test_five_members_have_thirty_two_patterns_and_six_too_many() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(3, size=500), rng.integers(3, size=(500, 6))

    found = patterns(list("abcde"), predicted[:, :5], labels)

    assert len(found) == 32
    assert sum(pattern.rows for pattern in found) == 500
    with pytest.raises(InputError, match="6 members make 64"):
        patterns(list("abcdef"), predicted, labels)


def test_a_stack_repairs_some_errors_and_introduces_others() -> None:
    found = repairs(A, B, LABELS)

    assert (found.repaired, found.introduced, found.rows) == (1, 1, 6)


def test_members_and_columns_must_fit() -> None:
    with pytest.raises(InputError, match="shape"):
        pairs(["a"], np.stack([A, B], axis=1), LABELS)
