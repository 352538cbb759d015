"""From a source of any kind to the table of its samples."""

from pathlib import Path

import pandas as pd

from raymed.config import DataConfig
from raymed.data.intake.frames import split_into_frames
from raymed.data.intake.sources.class_folders import read_class_folders
from raymed.data.intake.sources.kinds import SourceKind, kind_of_source
from raymed.data.intake.sources.manifest_table import read_manifest_table
from raymed.data.intake.sources.npz import read_npz
from raymed.data.intake.sources.parquet_images import read_parquet_images
from raymed.data.intake.sources.shards import Shards, shards_at
from raymed.data.intake.sources.webdataset import read_webdataset
from raymed.data.intake.steps import Steps


def reading_source(data: DataConfig, *, to_train: bool = True) -> Steps[pd.DataFrame]:
    """Read whatever `data.source` is, by what lies there; an npz `to_train` on needs that part."""
    source = data.source
    assert isinstance(source, Path), "sources elsewhere are made local first"
    match kind_of_source(source, data.image_column):
        case SourceKind.CLASS_FOLDERS:
            samples = yield from read_class_folders(source)
        case SourceKind.MANIFEST:
            samples = read_manifest_table(source, data)
        case SourceKind.WEBDATASET:
            samples = yield from read_webdataset(_shards(source), data)
        case SourceKind.PARQUET_IMAGES:
            samples = yield from read_parquet_images(_shards(source), data)
        case SourceKind.NPZ:
            return read_npz(source, to_train)
    return (yield from split_into_frames(samples, data))


def _shards(source: Path) -> Shards:
    shards = shards_at(source)
    assert shards is not None
    return shards
