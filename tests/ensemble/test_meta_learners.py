"""Meta-learners: what each kind computes."""

from functools import partial
from typing import Any

import numpy as np
import pytest
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression

from raymed.ensemble import MetaRows, Settings, fit_meta_learner, mean_weights
from raymed.ensemble.meta_learners.refinement import refined


def pair(toy: Any, first: float = 1, second: float = 2) -> np.ndarray:
    return np.stack([toy.logits(first), toy.logits(second)], axis=1).astype(np.float64)


def test_the_mean_is_the_mean_of_probabilities(toy: Any) -> None:
    logits = pair(toy)

    fitted = fit_meta_learner("mean", logits, toy.labels, toy.manifest.patients)

    np.testing.assert_allclose(fitted.member_weights, [0.5, 0.5])
    expected = softmax(logits, axis=2).mean(axis=1)
    np.testing.assert_allclose(np.exp(fitted.log_scores(logits)), expected)


def test_a_member_no_better_than_the_prior_is_left_out_of_the_mean(toy: Any) -> None:
    good, useless = toy.logits(2), -toy.logits(2)  # the second one is systematically wrong

    fitted = fit_meta_learner(
        "mean", np.stack([good, useless], axis=1), toy.labels, toy.manifest.patients
    )

    np.testing.assert_allclose(fitted.member_weights, [1, 0])


def test_an_overconfident_member_is_not_taken_for_a_useless_one(toy: Any) -> None:
    logits = np.stack([toy.logits(2) * 50, toy.logits(2)], axis=1)

    rows = MetaRows.of(logits, toy.labels, toy.manifest.patients)
    np.testing.assert_allclose(mean_weights(rows), 0.5)


def test_greedy_selection_takes_each_step_that_lowers_the_loss_most(toy: Any) -> None:
    """Written down once more, slowly: Caruana's loop over whole distributions."""
    logits = np.stack([toy.logits(s) for s in (0.5, 1, 1.2)], axis=1).astype(np.float64)
    own, rows = softmax(logits, axis=2), np.arange(len(toy.labels))

    def loss(chosen: list[int]) -> float:
        return float(-np.log(own[:, chosen].mean(axis=1)[rows, toy.labels]).mean())

    bag: list[int] = []
    bags = []
    for _ in range(50):
        bag = min(([*bag, member] for member in range(3)), key=loss)
        bags.append(bag)
    expected = np.bincount(min(bags, key=loss), minlength=3)

    fitted = fit_meta_learner("greedy", logits, toy.labels, toy.manifest.patients)

    np.testing.assert_allclose(fitted.member_weights, expected / expected.sum())


def test_greedy_selection_of_one_good_member_is_that_member(toy: Any) -> None:
    logits = np.stack([toy.logits(0), toy.logits(4), toy.logits(0)], axis=1)

    fitted = fit_meta_learner("greedy", logits, toy.labels, toy.manifest.patients)

    np.testing.assert_allclose(fitted.member_weights, [0, 1, 0])


def test_weights_by_class_find_who_knows_which_class(toy: Any) -> None:
    """The first member knows class 0 from the rest, the second class 2 from the rest."""
    truth = np.eye(3)[toy.labels]
    noise = toy.rng.normal(size=(2, len(truth), 3))
    first, second = truth * [4, 0, 0] + noise[0], truth * [0, 0, 4] + noise[1]
    settings = Settings(penalty=0.1)

    fitted = fit_meta_learner(
        "by_class", np.stack([first, second], 1), toy.labels, toy.manifest.patients, settings
    )

    assert fitted.trust[0, 0] > 0.6
    assert fitted.trust[1, 2] > 0.6


def test_weights_by_class_are_the_mean_under_a_heavy_penalty(toy: Any) -> None:
    logits = pair(toy)
    settings = Settings(penalty=1e6)

    fitted = fit_meta_learner("by_class", logits, toy.labels, toy.manifest.patients, settings)

    np.testing.assert_allclose(fitted.trust, 0.5, atol=1e-4)
    expected = softmax(logits, axis=2).mean(axis=1)
    np.testing.assert_allclose(np.exp(fitted.log_scores(logits)), expected, atol=1e-4)


def test_the_logistic_meta_learner_equals_scikit_learn(toy: Any) -> None:
    logits = pair(toy)
    flat = log_softmax(logits, axis=2).reshape(len(logits), -1)

    fitted = fit_meta_learner("logistic", logits, toy.labels, toy.manifest.patients, Settings(2.0))
    # 60 patients with 3 samples: each row weighs a third; C is one over the penalty.
    oracle = LogisticRegression(C=0.5, max_iter=5000, tol=1e-8)
    oracle.fit(flat, toy.labels, sample_weight=np.full(len(flat), 1 / 3))

    np.testing.assert_allclose(
        np.exp(fitted.log_scores(logits)), oracle.predict_proba(flat), atol=1e-4
    )


@pytest.mark.parametrize("classes", [2, 3])
def test_the_logistic_one_refined_from_some_rows_is_that_of_all(toy: Any, classes: int) -> None:
    """The first 30 patients, of 60: from there to scikit-learn's optimum of all of them."""
    keep = toy.labels < classes
    logits = pair(toy)[keep][:, :, :classes]
    rows = MetaRows.of(logits, toy.labels[keep], toy.manifest.patients[keep])
    flat = log_softmax(logits, axis=2).reshape(len(logits), -1)
    some = rows.take(rows.patients < 30)
    begun = fit_meta_learner("logistic", logits[rows.patients < 30], some.labels, some.patients)

    found = refined(begun.arrays, some, rows, penalty=1.0)

    oracle = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8)
    oracle.fit(flat, rows.labels, sample_weight=rows.weights)
    probabilities = softmax(flat @ found["matrix"] + found["bias"], axis=1)
    np.testing.assert_allclose(probabilities, oracle.predict_proba(flat), atol=1e-3)
    assert np.abs(begun.probabilities(logits) - probabilities).max() > 0.01


def test_very_many_rows_are_fitted_in_parts_to_the_same(
    toy: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where there is a class that nobody has."""
    logits = np.concatenate([pair(toy), np.full((180, 2, 1), -3.0)], axis=2)
    fit = partial(fit_meta_learner, "logistic", logits, toy.labels, toy.manifest.patients)
    at_once = fit().log_scores(logits)
    monkeypatch.setattr("raymed.ensemble.meta_learners.logistic.AT_ONCE", 100)

    in_parts = fit().log_scores(logits)

    np.testing.assert_allclose(np.exp(in_parts), np.exp(at_once), atol=1e-3)


def test_two_classes_work_as_well_as_three(toy: Any) -> None:
    keep = toy.labels < 2
    logits = pair(toy)[keep][:, :, :2]
    flat = log_softmax(logits, axis=2).reshape(len(logits), -1)

    fitted = fit_meta_learner("logistic", logits, toy.labels[keep], toy.manifest.patients[keep])
    oracle = LogisticRegression(C=1.0, max_iter=5000, tol=1e-8)
    oracle.fit(flat, toy.labels[keep], sample_weight=np.full(len(flat), 1 / 3))

    np.testing.assert_allclose(
        np.exp(fitted.log_scores(logits)), oracle.predict_proba(flat), atol=1e-4
    )


def test_the_neural_one_is_the_mean_where_there_is_nothing_to_learn(toy: Any) -> None:
    """Members that know nothing beyond the prior: the inner split stops at no epoch at all."""
    logits = np.zeros((len(toy.labels), 2, 3))

    fitted = fit_meta_learner("mlp", logits, toy.labels, toy.manifest.patients)

    np.testing.assert_allclose(np.exp(fitted.log_scores(logits)), 1 / 3, atol=0.02)


def test_the_neural_one_learns_what_no_mean_can(toy: Any) -> None:
    """A member that says the next class is as good as one that is right, to those who find out."""
    truth = np.eye(3)[(toy.labels + 1) % 3]
    logits = np.stack([truth * 3 + toy.rng.normal(size=truth.shape), toy.logits(0.3)], axis=1)
    rows = np.arange(len(toy.labels))

    losses = {
        kind: -np.log(
            fit_meta_learner(kind, logits, toy.labels, toy.manifest.patients).probabilities(logits)[
                rows, toy.labels
            ]
        ).mean()
        for kind in ("mean", "mlp")
    }

    assert losses["mlp"] < losses["mean"] - 0.3


def test_the_same_seed_gives_the_same_network(toy: Any) -> None:
    logits, patients = pair(toy), toy.manifest.patients

    once, again = (fit_meta_learner("mlp", logits, toy.labels, patients) for _ in range(2))

    np.testing.assert_array_equal(once.probabilities(logits), again.probabilities(logits))


def test_the_majority_has_the_most_votes_and_equals_are_decided_by_the_mean(toy: Any) -> None:
    sure, unsure = [4.0, 0, 0], [0, 1.0, 0]
    logits = np.array([[sure, unsure, unsure], [sure, sure, unsure], [sure, unsure, [0, 0, 1.0]]])
    labels, patients = np.array([0, 1, 0]), np.array(["a", "b", "c"], dtype=object)

    fitted = fit_meta_learner("majority", logits, labels, patients)

    assert fitted.log_scores(logits).argmax(axis=1).tolist() == [1, 0, 0]
