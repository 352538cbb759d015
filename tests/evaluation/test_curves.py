"""ROC and precision-recall curves, their areas, and the bands around them."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from raymed.evaluation import Question, draw_curves, operating_point
from raymed.evaluation.curves import GRID


def question(
    scores: npt.ArrayLike, truth: npt.ArrayLike, patients: npt.ArrayLike | None = None
) -> Question:
    held = np.asarray(scores, dtype=np.float64)
    names = np.arange(len(held)) if patients is None else np.asarray(patients)
    return Question(held, np.asarray(truth, dtype=bool), names.astype(str))


def noisy(patients: int, per_patient: int = 1, seed: int = 0) -> Question:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(patients), per_patient)
    truth = who % 3 == 0
    scores = 1 / (1 + np.exp(-(rng.normal(size=len(who)) + truth)))
    return question(scores, truth, who)


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Up to 40 rows of few patients, with many equal scores, both sides present."""
    count = draw(st.integers(2, 40))
    scores = draw(st.lists(st.integers(0, 6), min_size=count, max_size=count))
    truth = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    patients = draw(st.lists(st.integers(0, 9), min_size=count, max_size=count))
    assume(any(truth) and not all(truth))
    return question(np.array(scores) / 6, truth, patients)


@given(questions())
def test_the_areas_are_those_of_scikit_learn(asked: Question) -> None:
    found = draw_curves(asked, draws=0)

    assert found.roc.area.value == pytest.approx(roc_auc_score(asked.is_positive, asked.scores))
    assert found.precision_recall.area.value == pytest.approx(
        average_precision_score(asked.is_positive, asked.scores)
    )


@given(questions())
def test_the_area_is_that_of_the_points(asked: Question) -> None:
    found = draw_curves(asked, draws=0)
    steps = np.diff(found.precision_recall.x) @ found.precision_recall.y[1:]

    assert np.trapezoid(found.roc.y, found.roc.x) == pytest.approx(found.roc.area.value)
    assert steps == pytest.approx(found.precision_recall.area.value)


@given(questions())
def test_a_roc_curve_only_rises_from_corner_to_corner(asked: Question) -> None:
    roc = draw_curves(asked, draws=0).roc

    assert (roc.x[0], roc.y[0], roc.x[-1], roc.y[-1]) == (0, 0, 1, 1)
    assert (np.diff(roc.x) >= 0).all()
    assert (np.diff(roc.y) >= 0).all()


@given(st.integers(0, 50), st.integers(1, 3))
def test_the_curve_lies_in_its_band(seed: int, per_patient: int) -> None:
    found = draw_curves(noisy(40, per_patient, seed), draws=30, seed=seed)
    roc, other = found.roc, found.precision_recall
    assert roc.low is not None
    assert roc.high is not None
    assert other.low is not None
    assert other.high is not None
    at_least = np.array([roc.y[roc.x <= rate + 1e-9].max() for rate in GRID])
    held = np.array([other.y[other.x >= recall - 1e-9][0] for recall in GRID])

    assert (roc.low <= roc.high).all()
    assert (at_least <= roc.high + 1e-9).all()  # the line to the next point lies no lower
    assert (other.low <= held + 1e-9).all()
    assert (held <= other.high + 1e-9).all()


def test_a_band_shrinks_with_patients_not_with_their_images() -> None:
    def width(asked: Question) -> float:
        roc = draw_curves(asked, draws=200).roc
        assert roc.low is not None
        assert roc.high is not None
        return float((roc.high - roc.low).mean())

    few = noisy(45)
    copied = question(
        np.repeat(few.scores, 9), np.repeat(few.is_positive, 9), np.repeat(few.patients, 9)
    )

    assert width(copied) == pytest.approx(width(few))
    assert width(noisy(405)) < 0.5 * width(few)


def test_the_same_seed_draws_the_same_band_whatever_the_order_of_rows() -> None:
    asked = noisy(30, 2)
    order = np.random.default_rng(1).permutation(len(asked.scores))
    shuffled = question(asked.scores[order], asked.is_positive[order], asked.patients[order])

    first, second = (draw_curves(each, draws=50, seed=3).roc for each in (asked, shuffled))

    assert first.low is not None
    assert second.low is not None
    assert first.low.tolist() == second.low.tolist()


def test_too_few_patients_give_a_curve_without_a_band_and_the_reason() -> None:
    asked = question([0.9, 0.8, 0.3, 0.2, 0.1, 0.6, 0.4], [1, 1, 0, 0, 0, 0, 0])

    roc = draw_curves(asked, "of class 'rare'", "of classes other than 'rare'", draws=50).roc

    assert roc.area.value == 1
    assert roc.low is None
    assert roc.warning == (
        "AUROC rests on 2 patients of class 'rare', fewer than 5: no interval is given"
    )


def test_without_a_positive_row_there_is_no_curve() -> None:
    found = draw_curves(question([0.1, 0.2], [0, 0]), "of class 'absent'", draws=50)

    assert len(found.roc.x) == 0
    assert found.precision_recall.area.value is None
    assert found.roc.warning is not None
    assert "0 patients of class 'absent'" in found.roc.warning


def test_an_operating_point_counts_what_lies_at_or_above_the_threshold() -> None:
    """Said positive: .9 and .5, one of them rightly; of two positive rows one, of three others one.

    So sensitivity 1/2, false-positive rate 1/3, precision 1/2.
    """
    asked = question([0.9, 0.5, 0.4, 0.2, 0.1], [1, 0, 1, 0, 0])

    point = operating_point(asked, 0.5)

    assert (point.sensitivity, point.precision) == (0.5, 0.5)
    assert point.false_positive_rate == pytest.approx(1 / 3)
    assert operating_point(asked, 2.0).precision is None


def test_an_operating_point_lies_on_both_curves() -> None:
    asked = noisy(30)
    threshold = float(np.sort(asked.scores)[12])
    point, found = operating_point(asked, threshold), draw_curves(asked, draws=0)
    roc = set(zip(found.roc.x.round(9), found.roc.y.round(9), strict=True))

    assert point.false_positive_rate is not None
    assert point.sensitivity is not None
    assert (round(point.false_positive_rate, 9), round(point.sensitivity, 9)) in roc
