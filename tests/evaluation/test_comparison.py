"""Two predictions of the same samples, compared patient by patient."""

import logging

import numpy as np
import pytest

from raymed.errors import InputError
from raymed.evaluation import Difference, holm, paired_difference, score


def predictions(seed, labels, gain):
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.ones(2), len(labels)) + gain * np.eye(2)[labels]
    return table / (1 + gain)


LABELS = np.arange(120) % 2
PATIENTS = np.repeat(np.arange(40), 3)
WEAK, STRONG = predictions(0, LABELS, 0.2), predictions(1, LABELS, 1.0)
METRICS = ["log_loss", "auroc", "accuracy", "balanced_accuracy", "macro_f1", "ece"]


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("level", ["image", "patient"])
def test_the_difference_is_that_of_the_scores(metric, level):
    weak, strong = (
        score(table, LABELS, PATIENTS, "ab", level=level, folds=5, draws=0).metrics[metric].value
        for table in (WEAK, STRONG)
    )
    found = paired_difference(WEAK, STRONG, LABELS, PATIENTS, metric, level=level, draws=20)
    assert found.value == pytest.approx(weak - strong)


@pytest.mark.parametrize("metric", [*METRICS, "kappa"])
def test_a_prediction_does_not_differ_from_itself(metric):
    found = paired_difference(WEAK, WEAK, LABELS, PATIENTS, metric, draws=50)
    assert found == Difference(0, 0, 0, p=1)


def test_swapping_the_two_turns_the_interval_over():
    one = paired_difference(WEAK, STRONG, LABELS, PATIENTS)
    other = paired_difference(STRONG, WEAK, LABELS, PATIENTS)
    assert (one.value, one.low, one.high) == pytest.approx((-other.value, -other.high, -other.low))
    assert one.low > 0


def test_what_is_hard_for_both_cancels():
    hard = np.repeat(np.random.default_rng(2).uniform(0.1, 0.9, 40), 3)
    a = np.stack([hard, 1 - hard], axis=1)
    b = np.stack([hard * 0.99, 1 - hard * 0.99], axis=1)
    labels = np.zeros(120, dtype=int)
    # -ln(h) + ln(0.99 h) = ln(0.99) in every row, however far the patients lie apart.
    found = paired_difference(a, b, labels, PATIENTS)
    assert (found.low, found.high) == pytest.approx((np.log(0.99), np.log(0.99)))
    alone = score(a, labels, PATIENTS, "ab", level="image", folds=5).metrics["log_loss"]
    assert alone.high - alone.low > 0.1


def test_too_few_patients_give_no_interval_and_a_logged_reason(caplog):
    with caplog.at_level(logging.WARNING):
        found = paired_difference(WEAK[:12], STRONG[:12], LABELS[:12], PATIENTS[:12])
    assert found.value is not None
    assert (found.low, found.p) == (None, None)
    assert "difference in log_loss rests on 4 patients, fewer than 5" in caplog.text


def test_a_clear_difference_has_a_small_p_and_a_chance_one_has_not():
    assert paired_difference(WEAK, STRONG, LABELS, PATIENTS).p < 0.01
    again = predictions(2, LABELS, 0.2)
    assert paired_difference(WEAK, again, LABELS, PATIENTS).p > 0.05


def test_several_p_values_are_adjusted_as_holm_says():
    """.01 * 3, then .02 * 2, then .04 * 1, each at least the one before, none above 1."""
    assert holm([0.02, 0.01, 0.04]) == pytest.approx([0.04, 0.03, 0.04])
    assert holm([0.9, None, 0.8]) == [1.0, None, 1.0]
    assert holm([]) == []


def test_an_unknown_metric_is_refused():
    with pytest.raises(InputError, match="unknown metric 'aurocc'; did you mean 'auroc'"):
        paired_difference(WEAK, STRONG, LABELS, PATIENTS, "aurocc")


def test_tables_of_different_classes_are_refused():
    three = np.full((120, 3), 1 / 3)
    with pytest.raises(InputError, match="b_probabilities: 3 classes where a_probabilities have 2"):
        paired_difference(WEAK, three, LABELS, PATIENTS)
