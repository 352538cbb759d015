"""Classes against patients, sites and splits, counted."""

from typing import Any

import numpy as np
import pandas as pd

from raymed.data.intake.manifest import Manifest


def cross_tables(manifest: Manifest) -> dict[str, Any]:
    """Count samples and patients of each class in each split and site; JSON-ready.

    `images_per_patient` has the least, the median and the most images of a patient in each class;
    a patient with two classes is counted in both.
    """
    table = manifest.table.assign(name=[manifest.classes[label] for label in manifest.labels])
    return {
        "images_per_patient": [
            _images_per_patient(table[table["name"] == name], name) for name in manifest.classes
        ],
        "split": _crossed(table, "split", manifest.classes),
        "site": _crossed(table[table["site"] != ""], "site", manifest.classes),
    }


def _images_per_patient(rows: pd.DataFrame, name: str) -> dict[str, Any]:
    counts = rows["patient"].value_counts().to_numpy()
    least, median, most = np.quantile(counts, [0, 0.5, 1]) if len(counts) else (0, 0, 0)
    return {"name": name, "least": int(least), "median": float(median), "most": int(most)}


def _crossed(table: pd.DataFrame, column: str, classes: tuple[str, ...]) -> list[dict[str, Any]]:
    return [
        {
            "name": str(group),
            "samples": [len(own) for own in of_classes],
            "patients": [int(own["patient"].nunique()) for own in of_classes],
        }
        for group, rows in table.groupby(column)
        if (of_classes := [rows[rows["name"] == name] for name in classes])
    ]
