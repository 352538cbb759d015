"""From a source of any kind to the table of its samples."""

import pandas as pd

from raymed.config import DataConfig
from raymed.data.intake.frames import split_into_frames
from raymed.data.intake.sources.class_folders import read_class_folders
from raymed.data.intake.sources.kinds import SourceKind, kind_of_source
from raymed.data.intake.sources.manifest_table import read_manifest_table
from raymed.data.intake.sources.npz import read_npz


def read_source(data: DataConfig, *, to_train: bool = True) -> pd.DataFrame:
    """Read whatever `data.source` is, by what lies there; an npz `to_train` on needs that part."""
    source = data.source
    match kind_of_source(source):
        case SourceKind.CLASS_FOLDERS:
            return split_into_frames(read_class_folders(source), data)
        case SourceKind.MANIFEST:
            return split_into_frames(read_manifest_table(source, data), data)
        case SourceKind.NPZ:
            return read_npz(source, to_train)
