"""The leak sentinel: what a nearest neighbour scores where one person's images are torn apart.

It knows no disease, so what it gains under folds that part a person's images is what a build under
such folds would have published too high. On labels shuffled between people, each keeping one for
all images, it still scores high there: it tells people apart.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GroupKFold, KFold
from sklearn.neighbors import KNeighborsClassifier

from raymed.data.folds import Folds
from raymed.data.intake.manifest import Manifest

LEAK_SIZE = 64
_MOST_SAMPLES = 20_000
Groups = npt.NDArray[np.object_]


def watch_for_leaks(
    manifest: Manifest, folds: Folds, thumbnails: npt.NDArray[np.uint8], found: Groups
) -> dict[str, Any] | None:
    """Score a nearest neighbour under image-level, configured and grouped folds; JSON-ready.

    People are the declared patients, or else the groups `found` [samples]; None where nobody has
    two samples to train on. The test split takes no part.
    """
    people = manifest.patients if manifest.patients_declared else found
    rows = np.flatnonzero(folds.fold >= 0)
    count = len(set(people[rows]))
    if count == len(rows) or count < folds.count:
        return None
    rows = _some(rows, people)
    pixels = thumbnails[rows].reshape(len(rows), -1).astype(np.float32)
    side = PCA(min(60, *pixels.shape), svd_solver="randomized", random_state=0)
    features, labels = side.fit_transform(pixels), manifest.labels[rows]
    configured = folds.fold[rows]
    shuffled = _shuffled(labels, people[rows])
    grouped = _grouped(configured, people[rows], folds.count)
    image_level = _image_level(len(rows), folds.count)
    scores = {
        "image_level": _nearest_neighbour(features, labels, image_level),
        "configured": _nearest_neighbour(features, labels, configured),
        "patient_grouped": _nearest_neighbour(features, labels, grouped),
    }
    torn = "configured" if grouped is not configured else "image_level"
    return {
        "classifier": f"1-nearest neighbour, {LEAK_SIZE} px, 60 principal components",
        "grouped_by": "patients" if manifest.patients_declared else "hidden groups",
        **scores,
        "shuffled_labels": {
            "image_level": _nearest_neighbour(features, shuffled, image_level),
            "patient_grouped": _nearest_neighbour(features, shuffled, grouped),
        },
        "torn": torn,
        "inflation": {
            figure: scores[torn][figure] - scores["patient_grouped"][figure]
            for figure in ("accuracy", "macro_f1")
        },
    }


def _some(rows: npt.NDArray[np.int64], people: Groups) -> npt.NDArray[np.int64]:
    """Keep whole people, at random, up to so many samples."""
    if len(rows) <= _MOST_SAMPLES:
        return rows
    names = pd.Series(people[rows])
    order = names.drop_duplicates().sample(frac=1.0, random_state=0)
    kept = names.isin(order[: max(1, int(len(order) * _MOST_SAMPLES / len(rows)))])
    return rows[kept.to_numpy()]


def _image_level(samples: int, count: int) -> npt.NDArray[np.int16]:
    fold = np.empty(samples, dtype=np.int16)
    splitter = KFold(min(count, samples), shuffle=True, random_state=0)
    for number, (_, held_out) in enumerate(splitter.split(fold)):
        fold[held_out] = number
    return fold


def _grouped(
    configured: npt.NDArray[np.int16], people: Groups, count: int
) -> npt.NDArray[np.int16]:
    """Give the configured folds where they part nobody's images, else folds that do not."""
    table = pd.DataFrame({"who": people, "fold": configured})
    if table.groupby("who")["fold"].nunique().max() == 1:
        return configured
    fold = np.empty(len(people), dtype=np.int16)
    splitter = GroupKFold(count, shuffle=True, random_state=0)
    for number, (_, held_out) in enumerate(splitter.split(fold, groups=people)):
        fold[held_out] = number
    return fold


def _shuffled(labels: npt.NDArray[np.int64], people: Groups) -> npt.NDArray[np.int64]:
    """Shuffle the first label of each of the people between them."""
    _, first, who = np.unique(people.astype(str), return_index=True, return_inverse=True)
    return np.asarray(np.random.default_rng(0).permutation(labels[first])[who])


def _nearest_neighbour(
    features: npt.NDArray[np.float32], labels: npt.NDArray[np.int64], fold: npt.NDArray[np.int16]
) -> dict[str, float]:
    predicted = np.empty_like(labels)
    for number in np.unique(fold):
        held_out = fold == number
        neighbour = KNeighborsClassifier(1).fit(features[~held_out], labels[~held_out])
        predicted[held_out] = neighbour.predict(features[held_out])
    return {
        "accuracy": float(accuracy_score(labels, predicted)),
        "macro_f1": float(f1_score(labels, predicted, average="macro", zero_division=0.0)),
    }
