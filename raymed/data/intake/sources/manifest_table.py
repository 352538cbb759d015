"""A manifest: a table with a row an image, or a row a folder of images."""

from pathlib import Path

import numpy as np
import pandas as pd

from raymed.config import DataConfig
from raymed.data.intake.keyed import column_of, read_table
from raymed.data.intake.moved import place_images
from raymed.data.intake.sources.columns import site_and_split
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
    said = site_and_split(table, data, str(source))
    split = known_splits(said["split"], str(source))
    return table.assign(image=paths, relative=relative, site=said["site"], split=split)
