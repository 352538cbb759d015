"""The forms a labelled set comes in: class folders, a table, a MedMNIST-style npz.

Images are of any kind that `raymed.data.pixels` opens.

Each reader returns a table with sample_id, image, relative (the image's path as users write it),
label (text), site, split (`train` or `test`), and the source's own columns beside them.
"""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from raymed.config import DataConfig
from raymed.data.intake.frames import PREFIX, split_into_frames
from raymed.data.intake.image_files import find_images
from raymed.data.intake.keyed import TABLE_SUFFIXES, column_of, read_table
from raymed.data.intake.moved import place_images
from raymed.errors import InputError, some

_NPZ_FAULTS = (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error)
_SPLITS = {
    "train": "train",
    "val": "train",
    "valid": "train",
    "validation": "train",
    "training": "train",
    "": "train",
    "test": "test",
}


def read_source(data: DataConfig, *, to_train: bool = True) -> pd.DataFrame:
    """Read whatever `data.source` is, by what lies there; an npz `to_train` on needs that part."""
    source = data.source
    if source.is_dir():
        return split_into_frames(_read_class_folders(source), data)
    if not source.exists():
        raise InputError(
            "data.source",
            f"no such file or folder: {source}",
            "relative paths start at the configuration file's folder",
        )
    if source.suffix.lower() == ".npz":
        return _read_npz(source, to_train)
    if source.suffix.lower() in TABLE_SUFFIXES:
        return split_into_frames(_read_manifest_table(source, data), data)
    raise InputError(
        "data.source",
        f"cannot tell what {source.name} is",
        f"give a folder of class folders, a manifest ({some(TABLE_SUFFIXES, 9)}) or an .npz file",
    )


def _read_class_folders(source: Path) -> pd.DataFrame:
    rows = []
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        if folder.name.startswith("."):
            continue
        images = find_images(folder)
        if not images:
            raise InputError(str(folder), "the class folder holds no image", "fill it or remove it")
        rows += [(path.relative_to(source).as_posix(), folder.name, path) for path in images]
    if not rows:
        raise InputError(
            str(source),
            "holds no class folders with images",
            "expected <source>/<class>/<image>.png; for a table give its path",
        )
    relative, labels, paths = zip(*rows, strict=True)
    if {label.lower() for label in labels} <= set(_SPLITS):
        raise InputError(
            str(source),
            f"its folders are splits, not classes: {some(sorted(set(labels)))}",
            "write a CSV manifest with the columns image, label and split",
        )
    return pd.DataFrame(
        {
            "sample_id": relative,
            "image": [str(path) for path in paths],
            "relative": relative,
            "label": labels,
            "site": "",
            "split": "train",
        }
    )


def _read_manifest_table(source: Path, data: DataConfig) -> pd.DataFrame:
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
    split = _known_splits(split, source)
    return table.assign(image=paths, relative=relative, site=site.str.strip(), split=split)


def _optional_column(table: pd.DataFrame, name: str, usual: str, source: Path) -> pd.Series:
    """Give a column, empty when absent; one that was named on purpose must be there.

    Those of DICOM headers are not there yet.
    """
    if name not in table.columns and (name == usual or name.startswith(PREFIX)):
        return pd.Series("", index=table.index)
    return column_of(table, name, str(source))


def _known_splits(split: pd.Series, source: Path) -> pd.Series:
    known = split.str.strip().str.lower().map(_SPLITS)
    strangers = sorted(split[known.isna()].unique())
    if strangers:
        raise InputError(
            str(source), f"unknown splits: {some(strangers)}", "write train, val or test"
        )
    return known


def _read_npz(source: Path, to_train: bool) -> pd.DataFrame:
    try:
        with source.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            held = {name: arrays[name] for name in arrays.files if not name.endswith("_images")}
            shapes = {name: arrays[name].shape for name in arrays.files if name.endswith("_images")}
            kinds = {name: arrays[name].dtype for name in shapes}
    except _NPZ_FAULTS as error:
        raise InputError(str(source), f"cannot be read as npz ({error})") from None
    parts = [part for part in ("train", "val", "test") if f"{part}_images" in shapes]
    if not parts or (to_train and "train" not in parts):
        raise InputError(
            str(source),
            f"has no array 'train_images' (found {some(sorted(held | shapes), 10)})",
            "MedMNIST's names are train_images, train_labels, val_..., test_...",
        )
    frames = []
    for part in parts:
        images = f"{part}_images"
        labels = _npz_labels(held, part, shapes[images], source)
        _check_npz_images(source, images, shapes[images], str(kinds[images]))
        ids = [f"{part}/{row}" for row in range(len(labels))]
        extra = {
            name.removeprefix(f"{part}_"): values.astype(str)
            for name, values in held.items()
            if name.startswith(f"{part}_") and values.shape == (len(labels),)
        }
        frames.append(
            pd.DataFrame(extra).assign(
                sample_id=ids,
                image=[f"{source}::{images}/{row}" for row in range(len(labels))],
                relative=ids,
                label=labels,
                site="",
                split=_SPLITS[part],
            )
        )
    return pd.concat(frames, ignore_index=True)


def _npz_labels(
    held: dict[str, np.ndarray], part: str, shape: tuple[int, ...], source: Path
) -> list[str]:
    name = f"{part}_labels"
    labels = held.get(name)
    if labels is None:
        raise InputError(str(source), f"has {part}_images but no {name!r}")
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != shape[:1]:
        raise InputError(
            str(source),
            f"{name} has shape {labels.shape} for images of shape {shape}",
            "one label an image is needed",
        )
    return [str(label) for label in labels.tolist()]


def _check_npz_images(source: Path, name: str, shape: tuple[int, ...], kind: str) -> None:
    grey, colour = len(shape) == 3, len(shape) == 4 and shape[-1] == 3
    if not (grey or colour) or min(shape[1:3], default=0) < 1:
        raise InputError(
            str(source), f"{name} has shape {shape}", "expected [n, height, width] or [.., 3]"
        )
    if kind != "uint8":
        raise InputError(str(source), f"{name} holds {kind}", "expected 8-bit images (uint8)")
