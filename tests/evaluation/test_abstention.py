"""The abstention curve: risk among the decided, against how many are decided."""

import numpy as np
import pytest

from raymed.evaluation.abstention import risk_coverage


def test_the_curve_of_four_rows_by_hand() -> None:
    """Right, right, wrong, right, from sure to unsure: risks 0, 0, 1/3, 1/4."""
    probabilities = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])

    curve = risk_coverage(probabilities, np.array([0, 0, 1, 1]))

    np.testing.assert_allclose(curve.coverage, [0.25, 0.5, 0.75, 1])
    np.testing.assert_allclose(curve.risk, [0, 0, 1 / 3, 1 / 4])
    np.testing.assert_allclose(curve.confidence, [0.9, 0.8, 0.7, 0.6])
    assert curve.area == pytest.approx((1 / 3 + 1 / 4) / 4)


def test_rows_of_one_confidence_are_decided_together() -> None:
    """Their order in the table must not make the curve better or worse."""
    probabilities = np.array([[0.9, 0.1], [0.6, 0.4], [0.6, 0.4], [0.4, 0.6]])

    one = risk_coverage(probabilities, np.array([0, 0, 1, 1]))
    other = risk_coverage(probabilities, np.array([0, 1, 0, 1]))

    np.testing.assert_allclose(one.coverage, [0.25, 1])
    np.testing.assert_allclose(one.risk, other.risk)
    assert one.area == other.area


def test_everything_decided_is_the_error_rate() -> None:
    rng = np.random.default_rng(0)
    probabilities = rng.dirichlet(np.ones(3), 200)
    labels = rng.integers(3, size=200)

    curve = risk_coverage(probabilities, labels)

    assert curve.coverage[-1] == 1
    assert curve.risk[-1] == pytest.approx((probabilities.argmax(axis=1) != labels).mean())


def test_a_model_that_knows_when_it_is_wrong_has_the_smaller_area() -> None:
    labels = np.zeros(100, dtype=np.int64)
    sure_when_right = np.where(np.arange(100) < 80, 0.9, 0.4)
    knows = np.stack([sure_when_right, 1 - sure_when_right], axis=1)
    blind_sure = np.where(np.arange(100) % 5 == 0, 0.1, 0.6)
    blind = np.stack([blind_sure, 1 - blind_sure], axis=1)

    assert risk_coverage(knows, labels).area < risk_coverage(blind, labels).area
