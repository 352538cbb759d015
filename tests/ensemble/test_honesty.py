"""What a stack reports of itself is what new patients show; the common shortcut overstates.

The shortcut of many write-ups: one validation set chooses each member's checkpoint, is
fitted on by the meta-learner, and scores the result.
"""

import numpy as np
import pytest

from raymed.ensemble import OofTable, Settings, choose, cross_fit, fit_meta_learner

MEMBERS, CHECKPOINTS, CLASSES, SAMPLES = 5, 8, 3, 2
SIMULATIONS = 60


class World:
    """Patients with samples; members with checkpoints, all alike but for their errors."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)

    def patients(self, count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Draw labels, patients and logits [rows, members, checkpoints, classes].

        What makes a patient hard is shared by his samples, in part by all members too.
        """
        people = np.repeat(np.arange(count), SAMPLES)
        labels = self.rng.integers(CLASSES, size=count)[people]
        hard = self.rng.normal(size=(count, 1, 1, CLASSES))[people]
        own = self.rng.normal(size=(count, MEMBERS, CHECKPOINTS, CLASSES))[people]
        noise = self.rng.normal(size=(len(people), MEMBERS, CHECKPOINTS, CLASSES))
        logits = hard + own + 0.5 * noise + np.eye(CLASSES)[labels][:, None, None]
        return labels, people.astype(str).astype(object), logits


def accuracy(probabilities: np.ndarray, labels: np.ndarray) -> float:
    return float((probabilities.argmax(axis=1) == labels).mean())


def shortcut(world: World) -> tuple[float, float]:
    """Report and truth where one validation set does everything."""
    labels, patients, logits = world.patients(40)
    said = (logits.argmax(axis=3) == labels[:, None, None]).mean(axis=0)
    best = said.argmax(axis=1)
    members = np.arange(MEMBERS)
    plain = Settings(calibration="none")
    fitted = fit_meta_learner("logistic", logits[:, members, best], labels, patients, plain)
    reported = accuracy(fitted.probabilities(logits[:, members, best]), labels)
    labels, _, logits = world.patients(1000)
    return reported, accuracy(fitted.probabilities(logits[:, members, best]), labels)


def ours(world: World) -> tuple[float, float]:
    """Report and truth of out-of-fold rows, last checkpoints, and a cross-fitted choice."""
    labels, patients, logits = world.patients(120)
    fold = (np.unique(patients, return_inverse=True)[1] % 3).astype(np.int16)
    names = tuple(map(str, range(MEMBERS)))
    oof = OofTable(names, logits[:, :, -1], labels, patients, fold)
    chosen = choose([cross_fit(kind, oof) for kind in ("mean", "greedy", "logistic")], oof)
    fitted = fit_meta_learner(chosen.kind, oof.logits, labels, patients)
    new, _, fresh = world.patients(1000)
    return accuracy(chosen.probabilities, labels), accuracy(
        fitted.probabilities(fresh[:, :, -1]), new
    )


@pytest.fixture(scope="module")
def gaps() -> dict[str, np.ndarray]:
    """Reported minus true accuracy of both ways in every simulated world."""
    found = {"shortcut": [], "ours": []}
    for seed in range(SIMULATIONS):
        for name, way in (("shortcut", shortcut), ("ours", ours)):
            reported, true = way(World(seed))
            found[name].append(reported - true)
    return {name: np.array(values) for name, values in found.items()}


def test_the_shortcut_overstates_by_far(gaps: dict[str, np.ndarray]) -> None:
    assert gaps["shortcut"].mean() > 0.1


def test_ours_is_within_two_points_of_the_truth(gaps: dict[str, np.ndarray]) -> None:
    assert abs(gaps["ours"].mean()) <= 0.02
