"""Meta-learners: what they compute, and what they must not do."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from raymed.ensemble import MetaLearner, fit_meta_learner, predict_folds
from raymed.ensemble.meta_learners import fit_temperature, members_above_prior, patient_weights

KINDS = ["mean", "logistic"]


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_are_probabilities(toy: Any, kind: str) -> None:
    logits = np.stack([toy.logits(1), toy.logits(2)], axis=1)

    fitted = fit_meta_learner(kind, logits, toy.labels, toy.manifest.patients)
    probabilities = fitted.probabilities(logits)

    assert probabilities.shape == (len(toy.labels), 3)
    assert (probabilities >= 0).all()
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)


def test_the_mean_is_the_mean_of_probabilities(toy: Any) -> None:
    logits = np.stack([toy.logits(1), toy.logits(2)], axis=1)

    fitted = fit_meta_learner("mean", logits, toy.labels, toy.manifest.patients)

    np.testing.assert_allclose(fitted.weights, [0.5, 0.5])
    expected = softmax(logits.astype(np.float64), axis=2).mean(axis=1)
    np.testing.assert_allclose(np.exp(fitted.log_scores(logits)), expected)


def test_a_member_no_better_than_the_prior_is_left_out_of_the_mean(toy: Any) -> None:
    good, useless = toy.logits(2), -toy.logits(2)  # the second one is systematically wrong

    fitted = fit_meta_learner(
        "mean", np.stack([good, useless], axis=1), toy.labels, toy.manifest.patients
    )

    np.testing.assert_allclose(fitted.weights, [1, 0])


def test_an_overconfident_member_is_not_taken_for_a_useless_one(toy: Any) -> None:
    logits = np.stack([toy.logits(2) * 50, toy.logits(2)], axis=1).astype(np.float64)
    weights = patient_weights(toy.manifest.patients)

    assert members_above_prior(logits, toy.labels, weights).all()


def test_the_logistic_meta_learner_equals_scikit_learn(toy: Any) -> None:
    logits = np.stack([toy.logits(1), toy.logits(2)], axis=1).astype(np.float64)
    flat = log_softmax(logits, axis=2).reshape(len(logits), -1)

    fitted = fit_meta_learner("logistic", logits, toy.labels, toy.manifest.patients, penalty=2.0)
    # 60 patients with 3 samples: each row weighs a third; C is one over the penalty.
    oracle = LogisticRegression(C=0.5, max_iter=5000, tol=1e-8)
    oracle.fit(flat, toy.labels, sample_weight=np.full(len(flat), 1 / 3))

    np.testing.assert_allclose(
        np.exp(fitted.log_scores(logits)), oracle.predict_proba(flat), atol=1e-4
    )


def test_two_classes_work_as_well_as_three(toy: Any) -> None:
    keep = toy.labels < 2
    logits = np.stack([toy.logits(1), toy.logits(2)], axis=1)[keep][:, :, :2].astype(np.float64)
    flat = log_softmax(logits, axis=2).reshape(len(logits), -1)

    fitted = fit_meta_learner(
        "logistic", logits, toy.labels[keep], toy.manifest.patients[keep], penalty=1.0
    )
    oracle = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8)
    oracle.fit(flat, toy.labels[keep], sample_weight=np.full(len(flat), 1 / 3))

    np.testing.assert_allclose(
        np.exp(fitted.log_scores(logits)), oracle.predict_proba(flat), atol=1e-4
    )


def test_a_class_nobody_has_gets_a_small_probability_not_none(toy: Any) -> None:
    keep = toy.labels < 2
    logits = np.stack([toy.logits(1), toy.logits(2)], axis=1)

    fitted = fit_meta_learner(
        "logistic", logits[keep], toy.labels[keep], toy.manifest.patients[keep]
    )
    probabilities = fitted.probabilities(logits)

    assert np.isfinite(probabilities).all()
    assert 0 < probabilities[:, 2].mean() < 0.1


def test_every_patient_weighs_the_same(toy: Any) -> None:
    """A patient whose samples stand ten times changes nothing."""
    logits = np.stack([toy.logits(1), toy.logits(2)], axis=1)
    patients, labels = toy.manifest.patients, toy.labels
    extra = np.flatnonzero(patients == "p000")
    rows = np.concatenate([np.arange(len(labels)), np.repeat(extra, 9)])

    for kind in KINDS:
        once = fit_meta_learner(kind, logits, labels, patients)
        often = fit_meta_learner(kind, logits[rows], labels[rows], patients[rows])
        np.testing.assert_allclose(
            once.probabilities(logits), often.probabilities(logits), atol=1e-4
        )


@given(st.floats(0.1, 10), st.integers(0, 1000))
@settings(max_examples=25, deadline=None)
def test_temperature_undoes_a_scaling_and_leaves_the_argmax(scale: float, seed: int) -> None:
    """Labels drawn from softmax(z): scaled scores want exactly that scale as temperature."""
    rng = np.random.default_rng(seed)
    scores = log_softmax(rng.normal(size=(4000, 3)) * 2, axis=1)
    labels = np.array([rng.choice(3, p=row) for row in np.exp(scores)])
    weights = np.ones(len(labels))

    temperature = fit_temperature(scores * scale, labels, weights)

    assert temperature / scale == pytest.approx(fit_temperature(scores, labels, weights), rel=0.01)
    assert temperature == pytest.approx(scale, rel=0.15)
    cooled = softmax(scores * scale / temperature, axis=1)
    np.testing.assert_array_equal(cooled.argmax(axis=1), scores.argmax(axis=1))


def test_the_stack_is_applied_a_fold_index_at_a_time() -> None:
    """Averaging members' fold models first would give another answer."""
    rng = np.random.default_rng(0)
    learner = MetaLearner("mean", np.array([0.5, 0.5]), np.zeros(0), temperature=0.5)
    logits = rng.normal(size=(4, 7, 2, 3)) * 3

    combined = predict_folds(learner, logits)

    expected = np.mean([learner.probabilities(logits[fold]) for fold in range(4)], axis=0)
    np.testing.assert_allclose(combined, expected)
    assert np.abs(combined - learner.probabilities(logits.mean(axis=0))).max() > 0.01
