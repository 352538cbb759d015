"""A manifest: a table with a row an image, or a row a folder of images."""

from pathlib import Path

import numpy as np
import pandas as pd

from raymed.config import DataConfig
from raymed.data.intake.frames import PREFIX
from raymed.data.intake.keyed import column_of, read_table
from raymed.data.intake.moved import place_images
from raymed.data.intake.sources.splits import known_splits
from raymed.errors import InputError, some


def read_manifest_table(source: Path, data: DataConfig) -> pd.DataFrame:
    """Read a manifest; its images are placed, and only looked at later."""
    table = read_table(source)
    if table.empty:
        raise InputError(str(source), "has no rows")
    relative = column_of(table, data.image_column, str(source)).astype(str)
    paths = place_images(relative, source, data.root)
    table["label"] = column_of(table, data.label_column, str(source)).astype(str)
    unlabelled = (np.flatnonzero(table["label"].str.strip() == "") + 2).tolist()
    if unlabelled:
        raise InputError(str(source), f"rows without a label: {some(unlabelled)}")
    table["sample_id"] = table["sample_id"] if "sample_id" in table.columns else relative
    site, split = (
        _optional_column(table, getattr(data, key), DataConfig.model_fields[key].default, source)
        for key in ("site_column", "split_column")
    )
    split = known_splits(split, source)
    return table.assign(image=paths, relative=relative, site=site.str.strip(), split=split)


def _optional_column(table: pd.DataFrame, name: str, usual: str, source: Path) -> pd.Series:
    """Give a column, empty when absent; one that was named on purpose must be there.

    Those of DICOM headers are not there yet.
    """
    if name not in table.columns and (name == usual or name.startswith(PREFIX)):
        return pd.Series("", index=table.index)
    return column_of(table, name, str(source))
