"""A folder of class folders: the first folder's name is the label."""

from pathlib import Path

import pandas as pd

from raymed.data.intake.image_files import listing_images
from raymed.data.intake.sources.splits import SPLITS
from raymed.data.intake.steps import Step, Steps
from raymed.errors import InputError, some


def read_class_folders(source: Path) -> Steps[pd.DataFrame]:
    """List the images below each class folder; those of a split are refused."""
    rows: list[tuple[str, str, Path]] = []
    for folder in sorted(path for path in source.iterdir() if path.is_dir()):
        if folder.name.startswith("."):
            continue
        images = yield from listing_images(folder, len(rows))
        if not images:
            raise InputError(str(folder), "the class folder holds no image", "fill it or remove it")
        yield Step("listing images", len(rows) + len(images))
        rows += [(path.relative_to(source).as_posix(), folder.name, path) for path in images]
    if not rows:
        raise InputError(
            str(source),
            "holds no class folders with images",
            "expected <source>/<class>/<image>.png; for a table give its path",
        )
    relative, labels, paths = zip(*rows, strict=True)
    if {label.lower() for label in labels} <= set(SPLITS):
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
