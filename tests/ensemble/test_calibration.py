"""Calibration: what a temperature and vector scaling do to probabilities."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from raymed.ensemble.calibration import Calibration, fit_calibration, fit_temperature


def drawn(seed: int, count: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Log-probabilities, and labels drawn from them."""
    rng = np.random.default_rng(seed)
    scores = log_softmax(rng.normal(size=(count, 3)) * 2, axis=1)
    return scores, np.array([rng.choice(3, p=row) for row in np.exp(scores)])


@given(st.floats(0.1, 10), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_temperature_undoes_a_scaling_and_leaves_the_argmax(scale: float, seed: int) -> None:
    """Labels drawn from softmax(z): scaled scores want exactly that scale as temperature."""
    scores, labels = drawn(seed)
    weights = np.ones(len(labels))

    temperature = fit_temperature(scores * scale, labels, weights)

    assert temperature / scale == pytest.approx(fit_temperature(scores, labels, weights), rel=0.01)
    assert temperature == pytest.approx(scale, rel=0.15)
    fitted = fit_calibration("temperature", scores * scale, labels, weights)
    assert fitted.temperature == pytest.approx(temperature)
    cooled = fitted.apply(scores * scale)
    np.testing.assert_array_equal(cooled.argmax(axis=1), scores.argmax(axis=1))


def test_vector_scaling_undoes_a_scale_and_a_bias_of_each_class() -> None:
    scores, labels = drawn(3, 20_000)
    harmed = scores * [0.5, 2.0, 1.0] + [1.0, 0.0, -1.0]

    fitted = fit_calibration("vector", harmed, labels, np.ones(len(labels)))

    rows = np.arange(len(labels))
    optimum = -scores[rows, labels].mean()
    assert -np.log(fitted.apply(harmed)[rows, labels]).mean() < optimum + 0.02
    one = fit_calibration("temperature", harmed, labels, np.ones(len(labels)))
    assert -np.log(one.apply(harmed)[rows, labels]).mean() > optimum + 0.1


def test_vector_scaling_of_calibrated_scores_changes_little() -> None:
    scores, labels = drawn(4, 20_000)

    fitted = fit_calibration("vector", scores, labels, np.ones(len(labels)))

    np.testing.assert_allclose(fitted.scale, 1, atol=0.1)
    np.testing.assert_allclose(fitted.bias, 0, atol=0.1)


def test_no_calibration_is_none() -> None:
    scores, labels = drawn(5, 100)

    fitted = fit_calibration("none", scores * 3, labels, np.ones(len(labels)))

    np.testing.assert_allclose(fitted.apply(scores), softmax(scores, axis=1))
    assert fitted.temperature == 1.0
    assert Calibration(np.array([0.5])).temperature == pytest.approx(2.0)
