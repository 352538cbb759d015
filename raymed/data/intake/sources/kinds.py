"""Which kind of source lies at a path."""

from enum import Enum
from pathlib import Path

from raymed.data.intake.keyed import TABLE_SUFFIXES, is_table
from raymed.data.intake.sources.shards import PARQUET, TAR, shards_at
from raymed.data.pixels.parquet import DEFAULT_COLUMN
from raymed.errors import InputError, some


class SourceKind(Enum):
    """The forms that a labelled set comes in."""

    CLASS_FOLDERS = "class folders"
    MANIFEST = "manifest"
    NPZ = "npz"
    WEBDATASET = "WebDataset tar"
    PARQUET_IMAGES = "Parquet with images"


def kind_of_source(source: Path, image_column: str = DEFAULT_COLUMN) -> SourceKind:
    """Tell what lies there; raises `InputError` where nothing does, or nothing known.

    A Parquet file is a manifest, unless its `image_column` holds bytes.
    """
    shards = shards_at(source)
    if shards is not None:
        if shards.files[0].name.lower().endswith(TAR):
            return SourceKind.WEBDATASET
        is_manifest = source.is_file() and is_table(source, image_column)
        return SourceKind.MANIFEST if is_manifest else SourceKind.PARQUET_IMAGES
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
    packed = source.name.lower().endswith((".tar.gz", ".tgz", ".tar.zst", ".tar.bz2", ".tar.xz"))
    raise InputError(
        "data.source",
        f"cannot tell what {source.name} is" if not packed else f"{source.name} is packed",
        "unpack it (gunzip keeps the tar): images are read out of a tar in place"
        if packed
        else f"give a folder of class folders, a manifest ({some(TABLE_SUFFIXES, 9)}), an .npz "
        f"file, or images in {some(TAR + PARQUET)}",
    )
