"""What every kind of meta-learner keeps, whatever it computes."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import softmax

from raymed.ensemble import (
    KINDS,
    OofTable,
    Settings,
    assemble_stack,
    cross_fit,
    fit_meta_learner,
    read_stack,
    write_stack,
)
from raymed.errors import InputError

NEURAL = 0.08
"""How far two networks may differ that see the same in another order."""


def stacked(toy: Any, *strengths: float) -> np.ndarray:
    return np.stack([toy.logits(strength) for strength in strengths], axis=1)


def loss(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float(-np.log(probabilities[np.arange(len(labels)), labels]).mean())


def joined(toy: Any, *strengths: float) -> OofTable:
    tables = {f"m{i}": toy.table(f"m{i}", toy.logits(s)) for i, s in enumerate(strengths)}
    oof: OofTable = toy.join(tables)
    return oof


@pytest.mark.parametrize("kind", KINDS)
class TestEveryKind:
    def test_gives_probabilities(self, toy: Any, kind: str) -> None:
        logits = stacked(toy, 1, 2)

        probabilities = self.fit(toy, kind, logits).probabilities(logits)

        assert probabilities.shape == (len(toy.labels), 3)
        assert (probabilities > 0).all()
        np.testing.assert_allclose(probabilities.sum(axis=1), 1)

    def test_takes_logits_and_probabilities_alike(self, toy: Any, kind: str) -> None:
        logits = stacked(toy, 1, 2).astype(np.float64)
        fitted = self.fit(toy, kind, logits)

        of_probabilities = fitted.probabilities(softmax(logits, axis=2), of="probabilities")

        np.testing.assert_allclose(of_probabilities, fitted.probabilities(logits), atol=1e-5)

    def test_beats_what_its_members_know_alone(self, toy: Any, kind: str) -> None:
        logits = stacked(toy, 1, 1, 1, 1)
        alone = [
            loss(fit_meta_learner("mean", logits[:, [m]], toy.labels, toy.manifest.patients)
                 .probabilities(logits[:, [m]]), toy.labels)
            for m in range(4)
        ]  # fmt: skip

        assert loss(self.fit(toy, kind, logits).probabilities(logits), toy.labels) < min(alone)

    def test_every_patient_weighs_the_same(self, toy: Any, kind: str) -> None:
        """A patient whose samples stand ten times changes nothing."""
        logits, patients = stacked(toy, 1, 2), toy.manifest.patients
        extra = np.flatnonzero(patients == "p000")
        rows = np.concatenate([np.arange(len(patients)), np.repeat(extra, 9)])

        once = fit_meta_learner(kind, logits, toy.labels, patients)
        often = fit_meta_learner(kind, logits[rows], toy.labels[rows], patients[rows])

        near = NEURAL if kind == "mlp" else 1e-4
        apart = np.abs(once.probabilities(logits) - often.probabilities(logits))
        assert np.quantile(apart, 0.95) < near

    def test_the_order_of_members_does_not_matter(self, toy: Any, kind: str) -> None:
        logits = stacked(toy, 0.5, 1, 2)
        turned = logits[:, [2, 0, 1]]

        one, other = self.fit(toy, kind, logits), self.fit(toy, kind, turned)

        near = 3 * NEURAL if kind == "mlp" else 1e-4
        apart = np.abs(one.probabilities(logits) - other.probabilities(turned))
        assert np.quantile(apart, 0.95) < near
        if kind != "mlp":
            np.testing.assert_allclose(other.trust, one.trust[[2, 0, 1]], atol=1e-3)

    def test_a_member_that_stands_twice_does_no_harm(self, toy: Any, kind: str) -> None:
        twice = joined(toy, 1, 1.5)
        doubled = replace(
            twice, members=(*twice.members, "again"), logits=twice.logits[:, [0, 1, 1]]
        )
        before = loss(cross_fit(kind, twice).probabilities["image"], twice.labels)

        assert loss(cross_fit(kind, doubled).probabilities["image"], twice.labels) < before + 0.08

    def test_a_useless_member_does_little_harm(self, toy: Any, kind: str) -> None:
        oof = joined(toy, 1.5, 1.5, 1.5)
        noisy = replace(
            oof,
            members=(*oof.members, "useless"),
            logits=np.concatenate([oof.logits, toy.logits(0)[:, None]], axis=1),
        )
        before = loss(cross_fit(kind, oof).probabilities["image"], oof.labels)

        # a vote cannot tell who knows nothing, and forty patients teach a network little
        little = {"majority": 0.3, "mlp": 0.12}.get(kind, 0.08)
        assert loss(cross_fit(kind, noisy).probabilities["image"], oof.labels) < before + little

    def test_no_row_is_scored_by_one_that_saw_its_patient(self, toy: Any, kind: str) -> None:
        """Scrambling the labels of one fold leaves that fold's own predictions as they were."""
        oof = joined(toy, 1, 2)
        before = cross_fit(kind, oof).probabilities["image"]
        inside = oof.fold == 1
        labels = oof.labels.copy()
        labels[inside] = (labels[inside] + 1) % 3
        scrambled = replace(oof, labels=labels)

        after = cross_fit(kind, scrambled).probabilities["image"]

        np.testing.assert_array_equal(after[inside], before[inside])
        assert np.abs(after[~inside] - before[~inside]).max() > 1e-4  # the others did learn from it

    def test_a_class_nobody_has_gets_some_probability(self, toy: Any, kind: str) -> None:
        keep = toy.labels < 2
        logits = stacked(toy, 1, 2)

        fitted = fit_meta_learner(kind, logits[keep], toy.labels[keep], toy.manifest.patients[keep])

        probabilities = fitted.probabilities(logits[keep])
        assert np.isfinite(probabilities).all()
        assert (probabilities[:, 2] > 0).all()
        assert probabilities[:, 2].mean() < 0.2

    def test_six_patients_are_enough_to_fit(self, toy: Any, kind: str) -> None:
        few = np.isin(toy.manifest.patients, [f"p{i:03d}" for i in range(6)])
        logits = stacked(toy, 1, 2)

        fitted = fit_meta_learner(kind, logits[few], toy.labels[few], toy.manifest.patients[few])

        assert np.isfinite(fitted.probabilities(logits)).all()

    def test_trust_is_in_shares_and_goes_to_who_knows(self, toy: Any, kind: str) -> None:
        fitted = self.fit(toy, kind, stacked(toy, 0, 3))

        assert fitted.trust.shape == (2, 3)
        assert (fitted.trust >= 0).all()
        np.testing.assert_allclose(fitted.trust.sum(axis=0), 1)
        assert float(fitted.member_weights.sum()) == pytest.approx(1)
        if kind not in ("mean", "majority"):
            assert fitted.member_weights[1] > 0.5

    @pytest.mark.parametrize("calibration", ["temperature", "vector", "none"])
    def test_reads_back_as_it_was_written(
        self, toy: Any, kind: str, calibration: Any, tmp_path: Path
    ) -> None:
        oof, names = joined(toy, 1, 2), {"m0": "first", "m1": "second"}
        settings = Settings(calibration=calibration)
        learner = fit_meta_learner(kind, oof.logits, oof.labels, oof.patients, settings)
        stack = assemble_stack(learner, oof, names, toy.manifest.classes)
        write_stack(stack, tmp_path)

        again = read_stack(tmp_path)

        assert again.members == names
        assert (again.classes, again.folds) == (toy.manifest.classes, 3)
        own, read = stack.meta_learner, again.meta_learner
        for level, probabilities in own.by_level(oof.logits).items():
            np.testing.assert_array_equal(read.by_level(oof.logits)[level], probabilities)
        np.testing.assert_array_equal(own.trust, read.trust)

    def test_in_parts_comes_to_the_same_as_at_once(
        self, toy: Any, kind: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        logits = stacked(toy, 0, 1, 2)
        at_once = self.fit(toy, kind, logits).probabilities(logits)
        monkeypatch.setattr("raymed.ensemble.meta_learners.rows.PART", 50)

        in_parts = self.fit(toy, kind, logits).probabilities(logits)

        np.testing.assert_allclose(in_parts, at_once, atol=1e-5)

    def test_rows_that_do_not_fit_together_are_refused(self, toy: Any, kind: str) -> None:
        logits, patients = stacked(toy, 1, 2), toy.manifest.patients
        with pytest.raises(InputError, match="180 rows of logits, 179 labels"):
            fit_meta_learner(kind, logits, toy.labels[1:], patients)
        with pytest.raises(InputError, match="for 3 classes"):
            fit_meta_learner(kind, logits, toy.labels + 1, patients)

    def fit(self, toy: Any, kind: str, logits: np.ndarray) -> Any:
        return fit_meta_learner(kind, logits, toy.labels, toy.manifest.patients)
