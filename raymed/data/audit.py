"""The check of a manifest before anything is trained: counts, duplicates, the leak it would have.

The leak is shown by what a nearest neighbour on small grey images scores when a patient's samples
are split across folds, beside the same under the patient-grouped folds.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.decomposition import PCA
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import KFold
from sklearn.neighbors import KNeighborsClassifier

from raymed.data.folds import Folds
from raymed.data.manifest import Manifest

LEAK_SIZE = 64
_LEAK_SAMPLES = 20_000


def audit(manifest: Manifest, folds: Folds, thumbnails: npt.NDArray[np.uint8]) -> dict[str, Any]:
    """Check samples, folds and pixels; JSON-ready.

    `thumbnails` is uint8 [samples, side, side] or [samples, side, side, 3].
    """
    classes = _class_counts(manifest)
    duplicates = _duplicates(manifest)
    leak = _leak(manifest, folds, thumbnails)
    return {
        "samples": len(manifest.table),
        "patients": manifest.table["patient"].nunique() if manifest.patients_declared else None,
        "patients_declared": manifest.patients_declared,
        "classes": classes,
        "sites": _site_counts(manifest),
        "duplicates": duplicates,
        "leak": leak,
        "findings": _findings(manifest, folds, classes, duplicates),
    }


def _class_counts(manifest: Manifest) -> list[dict[str, Any]]:
    counts = []
    for index, name in enumerate(manifest.classes):
        rows = manifest.table[manifest.table["label"] == index]
        test = rows[rows["split"] == "test"]
        train = rows[rows["split"] != "test"]
        counts.append(
            {
                "name": name,
                "samples": len(train),
                "patients": int(train["patient"].nunique()),
                "test_samples": len(test),
                "test_patients": int(test["patient"].nunique()),
            }
        )
    return counts


def _site_counts(manifest: Manifest) -> list[dict[str, Any]]:
    sites = manifest.table[manifest.table["site"] != ""].groupby("site")
    return [
        {"name": name, "samples": len(rows), "patients": int(rows["patient"].nunique())}
        for name, rows in sites
    ]


def _duplicates(manifest: Manifest) -> dict[str, Any]:
    table = manifest.table
    copies = table[table["checksum"].duplicated(keep=False)]
    groups = [rows for _, rows in copies.groupby("checksum")]

    def torn(column: str) -> int:
        return sum(rows[column].nunique() > 1 for rows in groups)

    return {
        "exact": len(groups),
        "across_patients": torn("patient") if manifest.patients_declared else 0,
        "across_splits": torn("split"),
        "contradictory": torn("label"),
        "examples": [rows["sample_id"].tolist()[:5] for rows in groups[:5]],
    }


def _leak(
    manifest: Manifest, folds: Folds, thumbnails: npt.NDArray[np.uint8]
) -> dict[str, Any] | None:
    """Score a nearest neighbour under image-level and under patient-grouped folds."""
    rows = np.flatnonzero(folds.fold >= 0)
    if not manifest.patients_declared or len(rows) == len(set(manifest.patients[rows])):
        return None
    if len(rows) > _LEAK_SAMPLES:
        patients = pd.Series(manifest.patients[rows])
        order = patients.drop_duplicates().sample(frac=1.0, random_state=0)
        kept = patients.isin(order[: max(1, int(len(order) * _LEAK_SAMPLES / len(rows)))])
        rows = rows[kept.to_numpy()]
    pixels = thumbnails[rows].reshape(len(rows), -1).astype(np.float32)
    side = PCA(min(60, *pixels.shape), svd_solver="randomized", random_state=0)
    features, labels = side.fit_transform(pixels), manifest.labels[rows]
    image_level = np.empty(len(rows), dtype=np.int16)
    for number, (_, held_out) in enumerate(
        KFold(folds.count, shuffle=True, random_state=0).split(features)
    ):
        image_level[held_out] = number
    return {
        "classifier": f"1-nearest neighbour, {LEAK_SIZE} px, 60 principal components",
        "image_level": _nearest_neighbour(features, labels, image_level),
        "patient_grouped": _nearest_neighbour(features, labels, folds.fold[rows]),
    }


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


def _findings(
    manifest: Manifest, folds: Folds, classes: list[dict[str, Any]], duplicates: dict[str, Any]
) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []

    def find(severity: str, what: str, remedy: str) -> None:
        found.append({"severity": severity, "what": what, "remedy": remedy})

    if not manifest.patients_declared:
        find(
            "serious",
            "Patients are not declared: leakage was not excluded.",
            "Give data.patients a column, a file or a pattern.",
        )
    unit = "patients" if manifest.patients_declared else "samples"
    for row in classes:
        if row["patients"] < folds.count:
            find(
                "warning",
                f"Class {row['name']} has {row['patients']} {unit} for "
                f"{folds.count} folds: some folds hold none of them. Scores are pooled over all "
                "folds, and the class is left out of the macro AUROC.",
                "Collect more, merge classes, or ask for fewer folds.",
            )
    if manifest.is_test.any():
        for row in classes:
            if row["test_samples"] == 0:
                find(
                    "warning",
                    f"Class {row['name']} has nobody in the test split.",
                    "Enlarge data.test.share or merge classes.",
                )
    for key, severity, what in (
        ("across_patients", "serious", "are shared by different patients"),
        ("across_splits", "serious", "stand in both train and test"),
        ("contradictory", "serious", "carry different labels"),
        ("exact", "note", "stand more than once"),
    ):
        if duplicates[key]:
            find(
                severity,
                f"{duplicates[key]} exactly equal images {what}.",
                "Look at the examples and remove the copies.",
            )
    return found
