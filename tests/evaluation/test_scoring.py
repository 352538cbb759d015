"""The scores of a table: what they hold, when they warn, what they refuse."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as oracle

from raymed.errors import InputError
from raymed.evaluation import Estimate, Scores, score

NAMES = ["benign", "early", "late"]


def table(per_class=(40, 40, 40), seed=0, rows_per_patient=2):
    """Rows of patients of one class each, predicted somewhat better than chance."""
    rng = np.random.default_rng(seed)
    of_patient = np.repeat(np.arange(len(per_class)), per_class)
    labels = np.repeat(of_patient, rows_per_patient)
    patients = np.repeat([f"p{i:03}" for i in range(len(of_patient))], rows_per_patient)
    probabilities = rng.dirichlet(np.ones(3), len(labels)) + np.eye(3)[labels] / 2
    return probabilities / 1.5, labels, patients


def test_headline_figures_come_in_the_order_of_the_report():
    scores = score(*table(), NAMES, level="image", folds=5, draws=10)
    always = ["log_loss", "auroc", "accuracy", "balanced_accuracy", "macro_f1", "ece"]
    assert list(scores.metrics) == always
    more = score(
        *table(), NAMES, level="image", folds=5, draws=10, ordinal=True, positive=["early", "late"]
    )
    of_stages = ["kappa", "stage_error", "off_by_one", "expected_cost", "expected_squared_cost"]
    assert list(more.metrics) == [*always, *of_stages, "binary_auroc"]


def test_figures_at_image_level_are_scikit_learns():
    probabilities, labels, patients = table()
    scores = score(
        probabilities, labels, patients, NAMES, level="image", folds=5, draws=0, positive=["late"]
    )
    predicted = probabilities.argmax(axis=1)
    expected = {
        "log_loss": oracle.log_loss(labels, probabilities),
        "auroc": oracle.roc_auc_score(labels, probabilities, multi_class="ovr"),
        "accuracy": oracle.accuracy_score(labels, predicted),
        "binary_auroc": oracle.roc_auc_score(labels == 2, probabilities[:, 2]),
    }
    for name, value in expected.items():
        assert scores.metrics[name].value == pytest.approx(value, abs=1e-10)
    assert scores.confusion == oracle.confusion_matrix(labels, predicted).tolist()
    assert (scores.rows, scores.patients) == (240, 120)
    assert scores.per_class["early"].rows == 80
    assert scores.per_class["early"].patients == 40
    recalls = oracle.recall_score(labels, predicted, average=None)
    for name, recall in zip(NAMES, recalls, strict=True):
        assert scores.per_class[name].recall.value == pytest.approx(recall)


def test_a_positive_class_named_twice_counts_once():
    once, twice = (
        score(*table(), NAMES, level="image", folds=5, draws=0, positive=names)
        for names in (["early", "late"], ["late", "early", "late"])
    )
    assert once == twice


def test_patient_level_scores_the_mean_of_each_patient():
    probabilities, labels, patients = table()
    scores = score(probabilities, labels, patients, NAMES, level="patient", folds=5, draws=0)
    mean = (probabilities[::2] + probabilities[1::2]) / 2
    assert scores.rows == scores.patients == 120
    assert scores.metrics["log_loss"].value == pytest.approx(oracle.log_loss(labels[::2], mean))
    assert scores.metrics["accuracy"].value == (mean.argmax(axis=1) == labels[::2]).mean()


def test_rows_of_a_patient_with_two_labels_are_drawn_together():
    # Each patient has a right row of class 0 and a wrong one of class 1: accuracy is 1/2 in every
    # resample of patients, while a resample of rows would scatter.
    scores = score(
        [[0.9, 0.1]] * 40, [0, 1] * 20, np.repeat(range(20), 2), "ab", level="patient", folds=5
    )
    assert (scores.rows, scores.patients) == (40, 20)
    assert scores.metrics["accuracy"] == Estimate(0.5, 0.5, 0.5)


def test_enough_patients_give_intervals_about_the_values_and_no_warning():
    scores = score(*table(), NAMES, level="image", folds=5, draws=200, ordinal=True)
    for name in ("log_loss", "auroc", "accuracy", "balanced_accuracy", "macro_f1", "kappa"):
        each = scores.metrics[name]
        assert each.low < each.value < each.high
    assert [line for line in scores.warnings if not line.startswith("ece")] == []


def test_a_class_of_few_patients_has_warnings_for_intervals():
    scores = score(*table((40, 40, 3)), NAMES, level="image", folds=3, draws=50)
    late = scores.per_class["late"]
    assert late.recall.value is not None
    assert late.recall.low is None
    assert late.recall.high is None
    assert late.specificity.low is not None
    for figure in ("balanced_accuracy", "macro_f1", "auroc", "recall of class 'late'"):
        line = f"{figure} rests on 3 patients of class 'late', fewer than 5: no interval is given"
        assert line in scores.warnings
    assert scores.metrics["macro_f1"].low is None
    assert scores.metrics["accuracy"].low is not None


def test_auroc_leaves_out_classes_with_fewer_patients_than_folds_and_names_them():
    probabilities, labels, patients = table((40, 40, 7))
    scores = score(probabilities, labels, patients, NAMES, level="image", folds=8, draws=50)
    assert "auroc leaves out class 'late': 7 patients, fewer than the 8 folds" in scores.warnings
    two = [oracle.roc_auc_score(labels == c, probabilities[:, c]) for c in (0, 1)]
    assert scores.metrics["auroc"].value == pytest.approx(np.mean(two))
    assert scores.metrics["auroc"].low is not None
    assert scores.per_class["late"].auroc.low is not None


def test_an_absent_class_is_undefined_and_named():
    scores = score(*table((40, 40, 0)), NAMES, level="image", folds=5, draws=50)
    assert scores.per_class["late"].recall == Estimate(None)
    line = "recall of class 'late' is undefined: it rests on 0 patients of class 'late'"
    assert line in scores.warnings
    assert scores.metrics["balanced_accuracy"].low is not None


def test_all_of_one_class_has_no_auroc_and_says_so():
    scores = score(*table((40, 0, 0)), NAMES, level="image", folds=5, draws=50, positive=["benign"])
    assert scores.metrics["auroc"] == Estimate(None)
    assert scores.metrics["binary_auroc"] == Estimate(None)
    other = "it rests on 0 patients of classes other than 'benign'"
    assert f"auroc is undefined: {other}" in scores.warnings
    assert "binary_auroc is undefined: it rests on 0 patients of the other classes" in (
        scores.warnings
    )


def test_no_class_with_enough_patients_leaves_auroc_undefined():
    scores = score(*table((6, 6, 6)), NAMES, level="image", folds=10, draws=50)
    assert scores.metrics["auroc"] == Estimate(None)
    assert sum(line.startswith("auroc leaves out class") for line in scores.warnings) == 3


def test_a_figure_undefined_in_many_draws_has_no_interval():
    # Eight classes of five patients each: a draw lacks a class with a chance of about
    # 1 - (1 - (35/40)^40)^8 = 3.8 %; sixteen of five: 1 - (1 - (75/80)^80)^16 = 8.8 %.
    def many(classes):
        labels = np.repeat(np.arange(classes), 5)
        names = [f"c{index}" for index in range(classes)]
        flat = (np.eye(classes)[labels] + 1) / (classes + 1)
        return score(flat, labels, range(len(labels)), names, level="image", folds=5)

    assert many(8).metrics["macro_f1"].low is not None
    assert many(16).metrics["macro_f1"].low is None
    assert any(
        line.startswith("macro_f1 is undefined in") and "of 1000 resamples" in line
        for line in many(16).warnings
    )


def test_an_interval_that_resampling_has_pushed_off_its_value_is_warned_of():
    # In each of three bins the share of right rows is the confidence, so ECE is 0; a resample
    # keeps all three shares with a chance of about 0.2^3, so nearly all draws lie above.
    confidence = np.repeat([0.6, 0.75, 0.9], [10, 8, 10])
    labels = [0] * 6 + [1] * 4 + [0] * 6 + [1] * 2 + [0] * 9 + [1]
    probabilities = np.stack([confidence, 1 - confidence], axis=1)
    scores = score(probabilities, labels, range(28), "ab", level="image", folds=5)
    ece = scores.metrics["ece"]
    assert ece.value == pytest.approx(0)
    assert ece.low > 0
    assert [line for line in scores.warnings if "lies outside its interval" in line] != []


def test_no_draws_give_values_alone():
    scores = score(*table((40, 40, 6)), NAMES, level="image", folds=5, draws=0)
    assert scores.metrics["accuracy"].low is None
    assert scores.warnings == []


def test_reliability_bars_hold_all_rows_and_give_the_ece():
    scores = score(*table(), NAMES, level="image", folds=5, draws=0)
    bars = scores.reliability
    assert sum(bar.rows for bar in bars) == 240
    assert [bar.confidence for bar in bars] == sorted(bar.confidence for bar in bars)
    gap = sum(bar.rows * abs(bar.accuracy - bar.confidence) for bar in bars) / 240
    assert scores.metrics["ece"].value == pytest.approx(gap)


@settings(deadline=None, max_examples=15)
@given(st.randoms(use_true_random=False), st.sampled_from(["image", "patient"]))
def test_the_order_of_rows_changes_nothing(random, level):
    probabilities, labels, patients = table((8, 8, 8), rows_per_patient=3)
    order = list(range(len(labels)))
    random.shuffle(order)
    options = {"level": level, "folds": 5, "draws": 30, "ordinal": True}
    shuffled = score(probabilities[order], labels[order], patients[order], NAMES, **options)
    assert shuffled == score(probabilities, labels, patients, NAMES, **options)


def test_same_seed_same_scores_and_another_seed_other_intervals():
    first, again, other = (
        score(*table(), NAMES, level="image", folds=5, draws=50, seed=seed) for seed in (3, 3, 4)
    )
    assert first == again
    assert first.metrics["accuracy"].value == other.metrics["accuracy"].value
    assert first.metrics["log_loss"].low != other.metrics["log_loss"].low


@pytest.mark.parametrize("per_class", [(40, 40, 40), (40, 40, 0), (40, 3, 0)])
def test_scores_survive_json(per_class):
    scores = score(
        *table(per_class), NAMES, level="patient", folds=5, draws=20, positive=["benign"]
    )
    text = json.dumps(scores.as_dict(), allow_nan=False)
    assert Scores.from_dict(json.loads(text)) == scores


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"classes": ["a", "b"]}, "classes: 2 names where probabilities have 3 columns"),
        ({"classes": ["a", "b", "a"]}, "classes: a name comes twice"),
        ({"level": "slice"}, "level: unknown level 'slice'; choose 'image' or 'patient'"),
        ({"folds": 0}, "folds: 0 is not a number of folds"),
        ({"draws": -1}, "draws: -1 is negative"),
        ({"positive": ["erly"]}, "positive: unknown class 'erly'; did you mean 'early'?"),
        ({"positive": ["zzz"]}, "unknown class 'zzz'; choose among benign, early, late"),
        ({"positive": []}, "positive: no class is positive"),
        ({"positive": NAMES}, "positive: all classes are positive"),
    ],
)
def test_an_option_that_makes_no_sense_is_refused(changes, message):
    probabilities, labels, patients = table((6, 6, 6))
    options = {"classes": NAMES, "level": "image", "folds": 5, "draws": 0, **changes}
    with pytest.raises(InputError, match=message):
        score(probabilities, labels, patients, **options)
