"""Which kind of source lies at a path."""

from enum import Enum
from pathlib import Path

from raymed.data.intake.keyed import TABLE_SUFFIXES
from raymed.errors import InputError, some


class SourceKind(Enum):
    """The forms that a labelled set comes in."""

    CLASS_FOLDERS = "class folders"
    MANIFEST = "manifest"
    NPZ = "npz"


def kind_of_source(source: Path) -> SourceKind:
    """Tell what lies there; raises `InputError` where nothing does, or nothing known."""
    if source.is_dir():
        return SourceKind.CLASS_FOLDERS
    if not source.exists():
        raise InputError(
            "data.source",
            f"no such file or folder: {source}",
            "relative paths start at the configuration file's folder",
        )
    if source.suffix.lower() == ".npz":
        return SourceKind.NPZ
    if source.suffix.lower() in TABLE_SUFFIXES:
        return SourceKind.MANIFEST
    raise InputError(
        "data.source",
        f"cannot tell what {source.name} is",
        f"give a folder of class folders, a manifest ({some(TABLE_SUFFIXES, 9)}) or an .npz file",
    )
