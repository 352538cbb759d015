"""A MedMNIST-style npz: image arrays and their labels."""

import zipfile
import zlib
from pathlib import Path

import numpy as np
import pandas as pd

from raymed.data.intake.sources.splits import SPLITS
from raymed.errors import InputError, some

_NPZ_FAULTS = (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile, zlib.error)


def read_npz(source: Path, to_train: bool) -> pd.DataFrame:
    """List the rows of an npz's image arrays; `to_train` on, it needs those of training."""
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
                split=SPLITS[part],
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
