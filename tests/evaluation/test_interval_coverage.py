"""Intervals hold the truth as often as they say, with 100 patients and ten of the rarest class."""

import numpy as np
import pytest

from raymed.evaluation import score

NAMES, PER_CLASS, IMAGES = ["none", "early", "late"], (60, 30, 10), 3
FIGURES = ("accuracy", "log_loss", "auroc")
LEVELS = ("image", "patient")
SIMULATIONS, DRAWS = 1500, 400


def drawn(rng: np.random.Generator, times: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Predictions for patients with three images each; hard patients are hard in all of them."""
    of_patient = np.repeat(np.arange(times * sum(PER_CLASS)), IMAGES)
    labels = np.repeat(np.arange(3), np.array(PER_CLASS) * times)[of_patient]
    hard = rng.normal(size=(times * sum(PER_CLASS), 3))[of_patient]
    logits = hard + 0.7 * rng.normal(size=hard.shape) + 1.2 * np.eye(3)[labels]
    odds = np.exp(logits)
    return odds / odds.sum(axis=1, keepdims=True), labels, of_patient


@pytest.mark.slow
def test_intervals_cover_the_truth_in_93_to_97_of_100_data_sets() -> None:
    """The truth is the same figure of 60,000 patients."""
    truth = {
        level: score(*drawn(np.random.default_rng(1), 600), NAMES, level=level, folds=5, draws=0)
        for level in LEVELS
    }
    held: dict[tuple[str, str], list[bool]] = {}
    rng = np.random.default_rng(0)
    for simulation in range(SIMULATIONS):
        table = drawn(rng)
        for level in LEVELS:
            found = score(*table, NAMES, level=level, folds=5, draws=DRAWS, seed=simulation)
            for name in FIGURES:
                estimate, true = found.metrics[name], truth[level].metrics[name].value
                inside = estimate.low <= true <= estimate.high
                held.setdefault((level, name), []).append(inside)

    coverage = {key: float(np.mean(values)) for key, values in held.items()}
    assert len(coverage) == 6
    assert all(0.93 <= share <= 0.97 for share in coverage.values()), coverage
