"""Calibration: what a temperature and vector scaling do to probabilities."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax

from raymed.ensemble.calibration import Calibration, averaged_loss, fit_calibration, fit_temperature


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


def of_patients(seed: int, patients: int = 1500, images: int = 6) -> tuple[np.ndarray, ...]:
    """Log-probabilities whose labels are drawn once a patient, from the mean over his images."""
    rng = np.random.default_rng(seed)
    groups = np.repeat(np.arange(patients), images)
    shared = rng.normal(size=(patients, 3))[groups]
    scores = log_softmax(shared + 2 * rng.normal(size=(len(groups), 3)), axis=1)
    means = np.exp(scores).reshape(patients, images, 3).mean(axis=1)
    labels = np.array([rng.choice(3, p=row) for row in means])[groups]
    return scores, labels, np.full(len(groups), 1 / images), groups


@pytest.mark.parametrize("kind", ["temperature", "vector"])
def test_groups_are_calibrated_by_their_means(kind: Any) -> None:
    """Means that are right want a temperature of 1, though each image by itself is too sure."""
    scores, labels, weights, groups = of_patients(0)

    fitted = fit_calibration(kind, scores, labels, weights, groups)

    assert fitted.temperature == pytest.approx(1, abs=0.15)
    assert fit_calibration(kind, scores, labels, weights).temperature > 1.5


def test_groups_of_one_are_no_groups() -> None:
    scores, labels = drawn(6, 500)
    weights = np.random.default_rng(6).random(500)
    groups = np.random.default_rng(7).permutation(500)

    for kind in ("temperature", "vector"):
        alone = fit_calibration(kind, scores, labels, weights)
        grouped = fit_calibration(kind, scores, labels, weights, groups)
        np.testing.assert_allclose(grouped.scale, alone.scale, rtol=1e-3)
        np.testing.assert_allclose(grouped.bias, alone.bias, atol=1e-3)


def test_the_slope_of_a_loss_of_means_is_that_of_finite_differences() -> None:
    scores, labels, weights, groups = of_patients(1, 10, 3)

    def loss(moved: np.ndarray) -> float:
        return averaged_loss(log_softmax(moved, axis=1), labels, weights, groups)[0]

    _, shares = averaged_loss(scores, labels, weights, groups)
    slope = shares[:, None] * (np.exp(scores) - np.eye(3)[labels])
    for row, column in ((0, 0), (7, 1), (29, 2)):
        step = np.zeros_like(scores)
        step[row, column] = 1e-6
        expected = (loss(scores + step) - loss(scores - step)) / 2e-6
        assert slope[row, column] == pytest.approx(expected, abs=1e-7)
