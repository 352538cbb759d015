"""The table of predictions of new images: a row an image, then one a patient."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd

from raymed.data.predictions import Level
from raymed.errors import InputError
from raymed.files import whole_file
from raymed.predict.new_images import NewImages

Array = npt.NDArray[np.float64]


def class_columns(
    level: Level,
    images: Sequence[str],
    patients: Sequence[str] | None,
    classes: Sequence[str],
    probabilities: Array,
) -> dict[str, object]:
    """Give the columns that every table has: whose row it is, and probabilities [rows, classes]."""
    columns: dict[str, object] = {"level": level, "image": list(images)}
    if patients is not None:
        columns["patient"] = list(patients)
    columns["predicted"] = np.array(classes, dtype=object)[probabilities.argmax(axis=1)]
    of_class = {f"probability_{name}": probabilities[:, i] for i, name in enumerate(classes)}
    return columns | of_class


def plain_table(new: NewImages, classes: Sequence[str], probabilities: Array) -> pd.DataFrame:
    """Make the table of these columns alone; a patient's probabilities are means over his images.

    `probabilities` [images, classes] are those of the images.
    """
    rows = pd.DataFrame(class_columns("image", new.images, new.patients, classes, probabilities))
    if new.patients is None:
        return rows
    names, order = new.numbered_patients()
    means, nowhere = group_means(probabilities, order), [""] * len(names)
    people = pd.DataFrame(class_columns("patient", nowhere, names, classes, means))
    return pd.concat([rows, people], ignore_index=True)


def group_means(values: Array, groups: npt.NDArray[np.int64]) -> Array:
    """Average values [rows] or [rows, k] over groups, which are numbered from 0 [rows]."""
    counts = np.bincount(groups)
    if values.ndim == 1:
        return np.bincount(groups, values) / counts
    return np.stack([np.bincount(groups, column) / counts for column in values.T], axis=1)


def check_output(path: Path) -> None:
    """Refuse a file name that predictions cannot be written to."""
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise InputError(str(path), "unknown kind of file", "end it in .parquet or .csv")


def write_predictions(table: pd.DataFrame, path: Path) -> None:
    """Write predictions as Parquet or CSV, by the file's name."""
    check_output(path)
    with whole_file(path) as temporary:
        if path.suffix.lower() == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)
