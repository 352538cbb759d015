"""Metrics against scikit-learn, with whole-number patient weights against repeated rows."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from raymed.evaluation import metrics
from raymed.evaluation.rows import Rows, read_rows

CLASSES = 3


@st.composite
def weighted_tables(draw):
    """Rows on a coarse grid (so that scores tie) and a patient weight of 0 to 3."""
    size = draw(st.integers(4, 25))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    grid = rng.integers(1, 5, size=(size, CLASSES)).astype(float)
    rows = read_rows(
        grid / grid.sum(axis=1, keepdims=True),
        rng.integers(CLASSES, size=size),
        rng.integers(6, size=size).tolist(),
    )
    weights = rng.integers(0, 4, size=(2, rows.patients)).astype(float)
    weights[0] = 1
    return rows, weights


def repeated(rows: Rows, weights):
    """Labels, predictions and probabilities with each row as often as its patient's weight."""
    times = weights[rows.patient].astype(int)
    return tuple(
        np.repeat(table, times, axis=0)
        for table in (rows.labels, rows.predicted, rows.probabilities)
    )


def agree(metric, rows, weights, expected):
    """Compare each draw with the oracle on repeated rows; None or NaN is undefined."""
    for value, draw in zip(metric(weights), weights, strict=True):
        true = expected(*repeated(rows, draw))
        assert value == pytest.approx(np.nan if true is None else true, abs=1e-10, nan_ok=True)


def if_all_present(rows, labels, value):
    return value() if len(labels) and set(labels) == set(rows.labels) else None


oracle_test = settings(deadline=None, max_examples=60)


@oracle_test
@given(weighted_tables())
def test_accuracy_is_scikit_learns(table):
    rows, weights = table
    agree(
        metrics.accuracy(rows),
        rows,
        weights,
        lambda y, k, p: oracle.accuracy_score(y, k) if len(y) else None,
    )


@oracle_test
@given(weighted_tables())
def test_log_loss_is_scikit_learns(table):
    rows, weights = table
    agree(
        metrics.log_loss(rows),
        rows,
        weights,
        lambda y, k, p: oracle.log_loss(y, p, labels=range(CLASSES)) if len(y) else None,
    )


@oracle_test
@given(weighted_tables())
def test_recall_and_specificity_are_scikit_learns(table):
    rows, weights = table
    for of in range(CLASSES):
        agree(
            metrics.recall(rows, of),
            rows,
            weights,
            lambda y, k, p, of=of: oracle.recall_score(y == of, k == of) if of in y else None,
        )
        agree(
            metrics.specificity(rows, of),
            rows,
            weights,
            lambda y, k, p, of=of: (
                oracle.recall_score(y == of, k == of, pos_label=False) if (y != of).any() else None
            ),
        )


@oracle_test
@given(weighted_tables())
def test_balanced_accuracy_and_macro_f1_are_scikit_learns_over_present_classes(table):
    rows, weights = table
    present = np.unique(rows.labels)
    agree(
        metrics.balanced_accuracy(rows),
        rows,
        weights,
        lambda y, k, p: if_all_present(
            rows, y, lambda: oracle.recall_score(y, k, labels=present, average="macro")
        ),
    )
    agree(
        metrics.macro_f1(rows),
        rows,
        weights,
        lambda y, k, p: if_all_present(
            rows, y, lambda: oracle.f1_score(y, k, labels=present, average="macro")
        ),
    )


def test_balanced_accuracy_is_scikit_learns_function_of_that_name():
    rng = np.random.default_rng(1)
    rows = read_rows(rng.dirichlet(np.ones(3), 60), np.arange(60) % 3, range(60))
    expected = oracle.balanced_accuracy_score(rows.labels, rows.predicted)
    assert metrics.balanced_accuracy(rows)(np.ones((1, 60)))[0] == pytest.approx(expected)


@oracle_test
@given(weighted_tables())
def test_kappa_is_scikit_learns_with_quadratic_weights(table):
    rows, weights = table

    def expected(y, k, p):
        if len(set(y) | set(k)) < 2:
            return None
        return oracle.cohen_kappa_score(y, k, labels=range(CLASSES), weights="quadratic")

    agree(metrics.kappa(rows), rows, weights, expected)


@oracle_test
@given(weighted_tables())
def test_errors_in_stages_are_those_of_class_indices(table):
    """The mean is scikit-learn's absolute error; within one stage are errors of at most one."""
    rows, weights = table
    for metric, expected in (
        (metrics.stage_error, oracle.mean_absolute_error),
        (metrics.off_by_one, lambda y, k: (np.abs(y - k) <= 1).mean()),
    ):

        def known(y, k, p, expected=expected):
            return expected(y, k) if len(y) else None

        agree(metric(rows), rows, weights, known)


@pytest.mark.parametrize("power", [1, 2])
@given(table=weighted_tables())
def test_the_expected_cost_is_that_of_drawing_a_class_by_its_probability(table, power):
    rows, weights = table

    def known(y, k, p):
        drawn = [[p[i, j] * abs(j - y[i]) ** power for j in range(CLASSES)] for i in range(len(y))]
        return np.sum(drawn) / len(y) if len(y) else None

    agree(metrics.expected_cost(rows, power), rows, weights, known)


@oracle_test
@given(weighted_tables())
def test_auroc_with_ties_is_scikit_learns(table):
    rows, weights = table
    for positive in ([0], [1], [0, 2]):

        def expected(y, k, p, positive=positive):
            own = np.isin(y, positive)
            if own.all() or not own.any():
                return None
            return oracle.roc_auc_score(own, p[:, positive].sum(axis=1))

        agree(metrics.auroc(rows, positive), rows, weights, expected)


@oracle_test
@given(weighted_tables())
def test_weighted_auroc_is_scikit_learns_with_sample_weight(table):
    rows, weights = table
    sample_weight = weights[1][rows.patient]
    own = rows.labels == 0
    if sample_weight[own].sum() == 0 or sample_weight[~own].sum() == 0:
        return
    expected = oracle.roc_auc_score(own, rows.probabilities[:, 0], sample_weight=sample_weight)
    assert metrics.auroc(rows, [0])(weights)[1] == pytest.approx(expected, abs=1e-10)


def test_macro_auroc_is_scikit_learns_one_versus_rest_mean():
    rng = np.random.default_rng(2)
    rows = read_rows(rng.dirichlet(np.ones(4), 80), np.arange(80) % 4, range(80))
    expected = oracle.roc_auc_score(rows.labels, rows.probabilities, multi_class="ovr")
    value = metrics.macro_auroc(rows, [0, 1, 2, 3])(np.ones((1, 80)))[0]
    assert value == pytest.approx(expected, abs=1e-12)


def ece_by_hand(labels, predicted, probabilities):
    confidence = probabilities.max(axis=1)
    edges = np.linspace(0, 1, 16)
    total = 0.0
    for lower, upper in pairwise(edges):
        inside = (confidence > lower) & (confidence <= upper)
        if inside.any():
            accuracy = (labels == predicted)[inside].mean()
            total += inside.mean() * abs(accuracy - confidence[inside].mean())
    return total


@oracle_test
@given(weighted_tables())
def test_ece_is_the_loop_over_fifteen_bins(table):
    rows, weights = table
    agree(
        metrics.ece(rows),
        rows,
        weights,
        lambda y, k, p: ece_by_hand(y, k, p) if len(y) else None,
    )


def test_a_certain_and_right_prediction_has_no_calibration_error_and_a_wrong_one_has_all():
    certain = np.array([[1.0, 0.0], [1.0, 0.0]])
    assert metrics.ece(read_rows(certain, [0, 0], "ab"))(np.ones((1, 2)))[0] == 0
    assert metrics.ece(read_rows(certain, [1, 1], "ab"))(np.ones((1, 2)))[0] == 1


def test_a_certain_and_wrong_prediction_costs_the_clipped_log_loss():
    rows = read_rows([[1.0, 0.0]], [1], ["a"])
    # -ln(1e-15) = 15 ln(10) = 34.5388
    assert metrics.log_loss(rows)(np.ones((1, 1)))[0] == pytest.approx(15 * np.log(10))


def test_log_loss_renormalises_a_sum_within_tolerance():
    rows = read_rows([[0.5005, 0.5]], [0], ["a"])
    assert metrics.log_loss(rows)(np.ones((1, 1)))[0] == pytest.approx(-np.log(0.5005 / 1.0005))
