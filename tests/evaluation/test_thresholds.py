"""The threshold of a two-way question is chosen on rows that it is not scored on."""

import numpy as np
import pytest

from raymed.evaluation import (
    ask,
    choose_threshold,
    cross_fit_thresholds,
    score_at_threshold,
    threshold_at_specificity,
)

# Rows of toy A, by falling score:  .9 +   .8 +   .6 -   .5 +   .3 -   .1 -
# Saying positive from there on:    sensitivity 1/3, 2/3, 2/3, 1, 1, 1
#                                   specificity 1,   1,   2/3, 2/3, 1/3, 0
# Balanced accuracy:                .667, .833, .667, .833, .667, .5: .8 and .5 are equal.
SCORES = np.array([0.9, 0.8, 0.6, 0.5, 0.3, 0.1])
IS_POSITIVE = np.array([True, True, False, True, False, False])


def _table(scores: np.ndarray) -> np.ndarray:
    return np.stack([1 - scores, scores], axis=1)


def test_the_threshold_is_the_best_balanced_accuracy_by_hand_and_of_equals_the_highest() -> None:
    assert choose_threshold(SCORES, IS_POSITIVE) == 0.8
    # Without the negative at .6 only .5 tells all: sensitivity 1, specificity 1.
    kept = SCORES != 0.6
    assert choose_threshold(SCORES[kept], IS_POSITIVE[kept]) == 0.5


def test_it_equals_a_search_over_every_score() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(200) < 0.3
    scores = np.round(np.clip(0.4 + 0.2 * truth + 0.2 * rng.normal(size=200), 0, 1), 2)

    def balanced(threshold: float) -> float:
        said = scores >= threshold
        return float(said[truth].mean() + (~said)[~truth].mean()) / 2

    assert balanced(choose_threshold(scores, truth)) == max(map(balanced, np.unique(scores)))


def test_equal_scores_and_one_side_alone_still_give_a_finite_threshold() -> None:
    assert choose_threshold(np.full(4, 0.7), np.array([True, False, True, False])) == 0.7
    assert choose_threshold(np.array([0.2, 0.9]), np.array([True, True])) == 0.5


def test_each_folds_threshold_comes_from_the_other_folds() -> None:
    """Fold 0 parts at .8 and fold 1 at .4: each is given the other's."""
    scores = np.array([0.8, 0.7, 0.4, 0.3])
    asked = ask(_table(scores), np.array([1, 0, 1, 0]), ["a", "b", "c", "d"], [1], level="image")

    thresholds = cross_fit_thresholds(asked, {"a": 0, "b": 0, "c": 1, "d": 1})

    given = dict(zip(asked.patients, thresholds, strict=True))
    assert given == {"a": 0.4, "b": 0.4, "c": pytest.approx(0.8), "d": pytest.approx(0.8)}
    # From .4 on a and b are both called positive; from .8 on neither c nor d is: half right each.
    found, _ = score_at_threshold(asked, thresholds, draws=0)
    assert found["binary_balanced_accuracy"].value == 0.5


def test_a_folds_own_labels_do_not_move_its_threshold() -> None:
    rng = np.random.default_rng(1)
    labels, patients = rng.integers(2, size=60), [f"p{i}" for i in range(60)]
    folds = {patient: i % 3 for i, patient in enumerate(patients)}
    table = _table(rng.random(60))
    own = np.arange(60) % 3 == 0
    turned = np.where(own, 1 - labels, labels)

    def of_fold_0(truth: np.ndarray) -> set[float]:
        asked = ask(table, truth, patients, [1], level="image")
        at = cross_fit_thresholds(asked, folds)
        return {t for t, p in zip(at, asked.patients, strict=True) if folds[p] == 0}

    assert of_fold_0(labels) == of_fold_0(turned)


def test_figures_at_a_threshold_are_those_counted_by_hand() -> None:
    """From .5 on: all three positives found, one of three others called positive too."""
    asked = ask(_table(SCORES), IS_POSITIVE.astype(int), list("abcdef"), [1], level="image")

    found, warnings = score_at_threshold(asked, 0.5, draws=100)

    assert found["binary_sensitivity"].value == 1
    assert found["binary_specificity"].value == pytest.approx(2 / 3)
    assert found["binary_balanced_accuracy"].value == pytest.approx(5 / 6)
    assert all(figure.low is None for figure in found.values())  # three patients a side
    assert len(warnings) == 3


def test_an_interval_surrounds_the_figure_when_patients_suffice() -> None:
    asked = ask(
        _table(np.tile(SCORES, 10)),
        np.tile(IS_POSITIVE, 10).astype(int),
        range(60),
        [1],
        level="image",
    )

    found, warnings = score_at_threshold(asked, 0.5)

    for name in ("binary_balanced_accuracy", "binary_specificity"):
        figure = found[name]
        assert figure.low < figure.value < figure.high
    assert not warnings


def test_at_patient_level_a_patients_images_are_averaged_before_the_question() -> None:
    table = np.array([[0.8, 0.1, 0.1], [0.2, 0.2, 0.6], [0.9, 0.1, 0.0]])

    asked = ask(table, np.array([2, 2, 0]), ["a", "a", "b"], [1, 2], level="patient")

    assert asked.scores.tolist() == pytest.approx([0.5, 0.1])
    assert asked.is_positive.tolist() == [True, False]
    assert asked.patients.tolist() == ["a", "b"]


def test_the_threshold_at_a_specificity_spares_as_many_others_as_asked() -> None:
    """Others at .6, .3, .1: two of three are spared from .5 on, all of them from .8 on."""
    assert threshold_at_specificity(SCORES, IS_POSITIVE, 0.6) == 0.5
    assert threshold_at_specificity(SCORES, IS_POSITIVE, 2 / 3) == 0.5
    assert threshold_at_specificity(SCORES, IS_POSITIVE, 0.9) == 0.8


def test_no_lower_score_would_spare_as_many() -> None:
    rng = np.random.default_rng(3)
    truth = rng.random(300) < 0.4
    scores = np.round(rng.random(300) * 0.5 + 0.4 * truth, 2)  # with ties

    for wanted in (0.5, 0.8, 0.95):
        found = threshold_at_specificity(scores, truth, wanted)
        lower = scores[scores < found]
        assert (scores[~truth] < found).mean() >= wanted
        assert not len(lower) or (scores[~truth] < lower.max()).mean() < wanted


def test_others_above_everything_still_give_a_threshold() -> None:
    scores, truth = np.array([0.9, 0.2]), np.array([False, True])

    assert threshold_at_specificity(scores, truth, 0.9) > 0.9
    assert threshold_at_specificity(scores, np.array([True, True]), 0.9) == 0.5


def test_predictive_values_are_those_of_bayes_at_the_stated_prevalence() -> None:
    """From .5 on: sensitivity 1, specificity 2/3. At 10 %: .1 / (.1 + .9 / 3) = 1/4, and 1."""
    asked = ask(_table(SCORES), IS_POSITIVE.astype(int), list("abcdef"), [1], level="image")

    found, _ = score_at_threshold(asked, 0.5, prevalence=0.1, draws=0)
    here, _ = score_at_threshold(asked, 0.5, prevalence=0.5, draws=0)

    assert found["binary_ppv"].value == pytest.approx(0.25)
    assert found["binary_npv"].value == 1
    assert here["binary_ppv"].value == pytest.approx(3 / 4)  # as counted: half are positive here
    assert "binary_ppv" not in score_at_threshold(asked, 0.5, draws=0)[0]
