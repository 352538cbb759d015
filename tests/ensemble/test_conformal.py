"""Conformal sets keep their promise, patient by patient."""

import numpy as np
import pytest
from scipy.special import softmax

from raymed.ensemble.conformal import Conformal, cross_fitted_sets, fit_conformal
from raymed.errors import InputError

METHODS = pytest.mark.parametrize("method", ["lac", "aps"])


def drawn(
    rng: np.random.Generator, patients: int, most: int = 1
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows of patients with 1 to `most` samples; who has many is harder. A poor model's guess."""
    counts = rng.integers(1, most + 1, patients)
    people = np.repeat(np.arange(patients), counts)
    labels = rng.integers(3, size=patients)[people]
    skill = np.where((counts > most / 2) & (most > 1), 0.5, 2.0)[people]
    shared = rng.normal(size=(patients, 3))[people]
    logits = shared + rng.normal(size=(len(people), 3)) + skill[:, None] * np.eye(3)[labels]
    return softmax(3 * logits, axis=1), labels, people.astype(str).astype(object)


@METHODS
def test_a_sample_a_patient_is_split_conformal_prediction(method: str) -> None:
    """The quantile is the ceil((n + 1)(1 - alpha))-th smallest score."""
    probabilities, labels, patients = drawn(np.random.default_rng(0), 57)

    fitted = fit_conformal(probabilities, labels, patients, method=method, alpha=0.2)  # type: ignore[arg-type]

    rows = np.arange(57)
    own = 1 - probabilities[rows, labels]
    if method == "aps":
        own = np.array(
            [row[row >= row[label]].sum() for row, label in zip(probabilities, labels, strict=True)]
        )
    expected = np.sort(own)[int(np.ceil(58 * 0.8)) - 1]
    np.testing.assert_allclose(fitted.thresholds, expected)


def test_coverage_is_what_is_promised_and_hardly_more() -> None:
    """LAC over continuous scores: between 1 - a and 1 - a + 1 / (n + 1), in the mean of draws."""
    rng, hits = np.random.default_rng(1), []
    for _ in range(2000):
        probabilities, labels, patients = drawn(rng, 31)
        fitted = fit_conformal(probabilities[:30], labels[:30], patients[:30], alpha=0.15)
        hits.append(fitted.sets(probabilities[30:])[0, labels[30]])

    error = np.std(hits) / np.sqrt(len(hits))
    assert 0.85 - 3 * error <= np.mean(hits) <= 0.85 + 1 / 31 + 3 * error


@METHODS
def test_patients_with_many_samples_do_not_break_the_promise(method: str) -> None:
    """A sample of a new patient: those with many are harder, but a patient counts once."""
    rng, hits, naive = np.random.default_rng(2), [], []
    for _ in range(1500):
        probabilities, labels, patients = drawn(rng, 41, most=8)
        new = patients == "40"
        old = ~new
        pick = rng.choice(np.flatnonzero(new))
        fitted = fit_conformal(probabilities[old], labels[old], patients[old], method=method)  # type: ignore[arg-type]
        hits.append(fitted.sets(probabilities)[pick, labels[pick]])
        alone = np.arange(old.sum()).astype(str).astype(object)  # each sample a patient
        wrong = fit_conformal(probabilities[old], labels[old], alone, method=method)  # type: ignore[arg-type]
        naive.append(wrong.sets(probabilities)[pick, labels[pick]])

    assert np.mean(hits) >= 0.9 - 3 * np.std(hits) / np.sqrt(len(hits))
    if method == "lac":  # here the hard ones would have counted too often; aps is coarser than that
        assert np.mean(hits) < np.mean(naive)


def test_a_rare_class_is_covered_too_where_each_class_has_its_own_threshold() -> None:
    """Over all rows alike the promise holds, and the rare and hard class pays for it."""
    rng = np.random.default_rng(3)
    labels = np.repeat([0, 1], [2000, 200])
    skill = np.where(labels == 0, 4.0, -1.0)
    logits = rng.normal(size=(2200, 2)) + skill[:, None] * np.eye(2)[labels]
    probabilities, patients = softmax(logits, axis=1), np.arange(2200).astype(str).astype(object)
    fold = rng.integers(5, size=2200)

    together = cross_fitted_sets(probabilities, labels, patients, fold)
    apart = cross_fitted_sets(probabilities, labels, patients, fold, by_class=True)

    rare = labels == 1
    assert together[np.arange(2200), labels].mean() == pytest.approx(0.9, abs=0.02)
    assert together[rare, 1].mean() < 0.6
    assert apart[rare, 1].mean() == pytest.approx(0.9, abs=0.07)


def test_a_class_with_too_few_patients_is_in_every_set() -> None:
    """Nine patients can promise 90 %, eight cannot."""
    probabilities = np.tile([0.98, 0.01, 0.01], (17, 1))
    labels = np.repeat([1, 2], [8, 9])
    patients = np.arange(17).astype(str).astype(object)

    fitted = fit_conformal(probabilities, labels, patients, by_class=True)

    assert np.isinf(fitted.thresholds[[0, 1]]).all()
    assert fitted.thresholds[2] == pytest.approx(0.99)


def test_no_rows_of_a_fold_set_their_own_thresholds() -> None:
    rng = np.random.default_rng(4)
    probabilities, labels, patients = drawn(rng, 60)
    fold = np.arange(60) % 3
    before = cross_fitted_sets(probabilities, labels, patients, fold)
    changed = labels.copy()
    changed[fold == 1] = (changed[fold == 1] + 1) % 3

    after = cross_fitted_sets(probabilities, changed, patients, fold)

    np.testing.assert_array_equal(after[fold == 1], before[fold == 1])
    assert (after[fold != 1] != before[fold != 1]).any()


def test_aps_never_gives_an_empty_set() -> None:
    probabilities = np.array([[0.5, 0.3, 0.2]])

    assert Conformal("aps", 0.1, np.full(3, 0.1)).sets(probabilities).tolist() == [
        [True, False, False]
    ]
    assert not Conformal("lac", 0.1, np.full(3, 0.1)).sets(probabilities).any()


@pytest.mark.parametrize("alpha", [0.0, 1.0, -0.1, float("nan")])
def test_an_alpha_that_promises_nothing_is_refused(alpha: float) -> None:
    probabilities, labels, patients = drawn(np.random.default_rng(5), 20)

    with pytest.raises(InputError, match="not between 0 and 1"):
        fit_conformal(probabilities, labels, patients, alpha=alpha)
