"""Doubt is worth how well it tells wrong answers from right ones."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from raymed.evaluation import score_doubt


def test_the_share_of_pairs_in_which_the_wrong_answer_is_doubted_more() -> None:
    """Wrong: 0.9 beats 0.2 and 0.5, 0.2 ties with one of them; 2.5 of 4 pairs."""
    doubt, wrong = np.array([0.9, 0.2, 0.2, 0.5]), np.array([True, True, False, False])

    found = score_doubt(doubt, wrong, "abcd", draws=0)

    assert found.auroc.value == 2.5 / 4
    assert (found.rows, found.wrong) == (4, 2)
    assert found.mean_wrong == pytest.approx(0.55)
    assert found.mean_right == pytest.approx(0.35)


@given(st.lists(st.tuples(st.integers(0, 9), st.booleans()), min_size=2, max_size=30))
def test_it_is_the_auroc_and_only_the_order_of_doubts_counts(rows: list[tuple[int, bool]]) -> None:
    doubt, wrong = np.array([row[0] for row in rows], float), np.array([row[1] for row in rows])
    names = range(len(rows))

    found = score_doubt(doubt, wrong, names, draws=0).auroc.value

    assert found == score_doubt(np.exp(doubt) - 5, wrong, names, draws=0).auroc.value
    if 0 < wrong.sum() < len(rows):
        assert found == pytest.approx(roc_auc_score(wrong, doubt))
    else:
        assert found is None


def test_all_images_of_a_patient_are_drawn_together() -> None:
    """As many images of half as many patients: the interval widens."""
    rng = np.random.default_rng(0)
    wrong = np.repeat(rng.random(40) < 0.4, 2)
    doubt = np.repeat(rng.normal(size=40), 2) + wrong

    apart = score_doubt(doubt, wrong, range(80), draws=500).auroc
    together = score_doubt(doubt, wrong, np.repeat(range(40), 2), draws=500).auroc

    assert apart.value == together.value
    assert None not in (apart.low, apart.high, together.low, together.high)
    assert together.high - together.low > 1.2 * (apart.high - apart.low)  # type: ignore[operator]


def test_few_patients_with_errors_bear_no_interval() -> None:
    wrong = np.arange(20) < 3

    found = score_doubt(np.arange(20.0), wrong, range(20), draws=100)

    assert found.auroc.low is None
    assert "rests on 3 patients with a wrong answer" in found.warnings[0]


def test_without_errors_there_is_nothing_to_find() -> None:
    found = score_doubt(np.arange(9.0), np.zeros(9, bool), range(9), draws=100)

    assert (found.auroc.value, found.mean_wrong, found.wrong) == (None, None, 0)
    assert found.mean_right == 4
    assert "is undefined" in found.warnings[0]
