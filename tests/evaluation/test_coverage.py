"""Coverage and size of sets of classes."""

import numpy as np
import pytest

from raymed.errors import InputError
from raymed.evaluation.coverage import score_sets

SETS = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 1], [0, 0, 1], [1, 1, 1]], dtype=bool)
LABELS = np.array([0, 1, 2, 0, 2, 1])


def test_shares_by_hand() -> None:
    """Held: rows 0, 1, 4, 5 of 6; sizes 1 2 0 2 1 3."""
    found = score_sets(SETS, LABELS, range(6), "abc", draws=50)

    assert found.coverage.value == pytest.approx(4 / 6)
    assert found.size == pytest.approx(9 / 6)
    assert (found.empty, found.single) == pytest.approx((1 / 6, 2 / 6))
    values = {name: estimate.value for name, estimate in found.by_class.items()}
    assert values == pytest.approx({"a": 0.5, "b": 1.0, "c": 0.5})


def test_a_class_of_few_patients_gets_a_warning_in_place_of_an_interval() -> None:
    found = score_sets(SETS, LABELS, range(6), "abc", draws=50)

    assert found.coverage.low is not None
    assert found.by_class["a"].low is None
    assert "coverage of class 'a' rests on 2 patients of class 'a'" in found.warnings[0]


def test_rows_of_one_patient_are_drawn_together() -> None:
    """Twelve rows of one patient among six: as wide as six rows, not as eighteen."""
    rng = np.random.default_rng(0)
    held = rng.random(40) < 0.7
    sets = np.stack([held, ~held], axis=1)
    labels = np.zeros(40, dtype=np.int64)
    alone = score_sets(sets, labels, range(40), "ab").coverage
    often = score_sets(
        np.repeat(sets, 10, axis=0), np.repeat(labels, 10), np.repeat(np.arange(40), 10), "ab"
    ).coverage

    assert (often.value, often.low, often.high) == (alone.value, alone.low, alone.high)


def test_sets_of_another_shape_are_refused() -> None:
    with pytest.raises(InputError, match="for 6 rows of 2 classes"):
        score_sets(SETS, LABELS, range(6), "ab")
