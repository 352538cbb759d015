"""What a source says beside its images: label, site and split, from its own columns."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from raymed.config import DataConfig
from raymed.data.intake.frames import PREFIX
from raymed.data.intake.keyed import column_of
from raymed.data.intake.sources.splits import known_splits
from raymed.errors import InputError, some


def site_and_split(table: pd.DataFrame, data: DataConfig, place: str) -> pd.DataFrame:
    """Give the columns site and split, empty where the table has none."""
    site, split = (
        _optional_column(table, getattr(data, key), DataConfig.model_fields[key].default, place)
        for key in ("site_column", "split_column")
    )
    return pd.DataFrame({"site": site.str.strip(), "split": split.str.strip()})


def split_of_rows(said: pd.Series, otherwise: Sequence[str], place: str) -> pd.Series:
    """Give each row's split as its column says, where that is empty as its file's name does."""
    files = pd.Series(list(otherwise), index=said.index)
    return known_splits(said.where(said != "", files), place)


def refuse_unlabelled(labels: pd.Series, names: Sequence[object], place: str) -> None:
    """Refuse empty labels, naming their samples."""
    empty = np.flatnonzero(labels.str.strip() == "")
    if len(empty):
        unlabelled = [names[row] for row in empty.tolist()]
        raise InputError(place, f"{len(empty)} images without a label: {some(unlabelled)}")


def _optional_column(table: pd.DataFrame, name: str, usual: str, place: str) -> pd.Series:
    """Give a column, empty when absent; one that was named on purpose must be there.

    Those of DICOM headers are not there yet.
    """
    if name not in table.columns and (name == usual or name.startswith(PREFIX)):
        return pd.Series("", index=table.index, dtype="str")
    return column_of(table, name, place)
