"""The permutation p-value: patients, not rows, are what is exchanged."""

from itertools import combinations, product

import numpy as np
import pytest

from raymed.evaluation import metrics
from raymed.evaluation.permutation import membership_p_value, permutation_p_value
from raymed.evaluation.rows import Rows, read_rows


def rows_of(
    rng: np.random.Generator, labels: np.ndarray, patients: list[str], skill: float
) -> Rows:
    logits = rng.normal(size=(len(labels), 2)) + skill * np.eye(2)[labels]
    values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    return read_rows(values, labels, patients)


def log_loss_by_patient(rows: Rows) -> np.ndarray:
    losses = -np.log(rows.probabilities[np.arange(len(rows.labels)), rows.labels])
    return rows.per_patient(losses)


def test_it_is_the_share_of_all_exchanges_that_are_as_far_apart() -> None:
    """Eight patients of two rows: all 256 exchanges, written down."""
    rng, patients = np.random.default_rng(0), [f"p{i // 2}" for i in range(16)]
    labels = rng.integers(2, size=16)
    a, b = rows_of(rng, labels, patients, 2.0), rows_of(rng, labels, patients, 0.5)
    gaps = (log_loss_by_patient(a) - log_loss_by_patient(b)) / 16
    signs = np.array(list(product([1, -1], repeat=8)))
    exact = (np.abs(signs @ gaps) >= abs(gaps.sum()) - 1e-12).mean()

    p = permutation_p_value(a, b, metrics.log_loss, 20_000, 0)

    assert p == pytest.approx(exact, abs=0.01)


def test_no_difference_is_found_as_often_as_the_level_says() -> None:
    """Two equal models, correlated rows within patients: p below .05 in about 5 % of draws."""
    rng, found = np.random.default_rng(1), []
    patients = [f"p{i // 5}" for i in range(150)]
    for trial in range(300):
        labels = np.repeat(rng.integers(2, size=30), 5)
        shared = np.repeat(rng.normal(size=(2, 30, 2)), 5, axis=1)  # a patient is easy or hard
        both = []
        for model in range(2):
            logits = shared[model] + 0.2 * rng.normal(size=(150, 2)) + np.eye(2)[labels]
            values = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            both.append(read_rows(values, labels, patients))
        found.append(permutation_p_value(both[0], both[1], metrics.accuracy, 200, trial))

    assert np.mean([p <= 0.05 for p in found if p is not None]) == pytest.approx(0.05, abs=0.035)


def test_a_clear_difference_is_found_in_any_metric() -> None:
    rng, patients = np.random.default_rng(2), [str(i) for i in range(80)]
    labels = np.arange(80) % 2
    a, b = rows_of(rng, labels, patients, 4.0), rows_of(rng, labels, patients, 0.0)

    for metric in (metrics.log_loss, metrics.accuracy, lambda rows: metrics.auroc(rows, [1])):
        p = permutation_p_value(a, b, metric, 999, 0)
        assert p == pytest.approx(0.001)


def test_a_model_against_itself_is_never_found_to_differ() -> None:
    rng, patients = np.random.default_rng(3), [str(i) for i in range(30)]
    a = rows_of(rng, np.arange(30) % 2, patients, 1.0)

    assert permutation_p_value(a, a, metrics.log_loss, 100, 0) == 1.0


def test_without_draws_or_a_value_there_is_no_p() -> None:
    rng, patients = np.random.default_rng(4), [str(i) for i in range(10)]
    a = rows_of(rng, np.zeros(10, dtype=np.int64), patients, 1.0)

    assert permutation_p_value(a, a, metrics.log_loss, 0, 0) is None
    assert permutation_p_value(a, a, lambda rows: metrics.auroc(rows, [1]), 10, 0) is None


def test_membership_is_the_share_of_all_groups_that_are_as_far_apart() -> None:
    """Eight patients of two rows, three of them in the group: all 56 groups, written down."""
    rng, patients = np.random.default_rng(5), [f"p{i // 2}" for i in range(16)]
    rows = rows_of(rng, rng.integers(2, size=16), patients, 1.0)
    means = log_loss_by_patient(rows) / 2
    inside = np.isin(np.arange(8), [0, 3, 4])

    def apart(group: np.ndarray) -> float:
        return abs(float(means[group].mean() - means[~group].mean()))

    groups = [np.isin(np.arange(8), chosen) for chosen in combinations(range(8), 3)]
    exact = np.mean([apart(group) >= apart(inside) - 1e-12 for group in groups])

    p = membership_p_value(metrics.log_loss(rows), inside, 16, 20_000, 0)

    assert p == pytest.approx(exact, abs=0.01)


def test_membership_that_does_not_matter_is_found_as_often_as_the_level_says() -> None:
    rng, found = np.random.default_rng(6), []
    patients, inside = [f"p{i // 5}" for i in range(150)], np.arange(30) < 12
    for trial in range(300):
        shared = np.repeat(rng.normal(size=30), 5)  # a patient is easy or hard
        ill = 1 / (1 + np.exp(-(shared + 0.2 * rng.normal(size=150))))
        labels = np.repeat(rng.integers(2, size=30), 5)
        rows = read_rows(np.stack([1 - ill, ill], axis=1), labels, patients)
        found.append(membership_p_value(metrics.log_loss(rows), inside, 150, 200, trial))

    assert np.mean([p <= 0.05 for p in found if p is not None]) == pytest.approx(0.05, abs=0.035)


def test_without_draws_or_a_value_membership_has_no_p() -> None:
    rng, patients = np.random.default_rng(4), [str(i) for i in range(10)]
    rows, inside = rows_of(rng, np.zeros(10, dtype=np.int64), patients, 1.0), np.arange(10) < 5

    assert membership_p_value(metrics.log_loss(rows), inside, 10, 0, 0) is None
    assert membership_p_value(metrics.auroc(rows, [1]), inside, 10, 10, 0) is None
