"""Augmented samples for the report: what training showed the models, a few images a recipe.

An illustration: it comes after everything that is fitted or chosen, and nothing but the report
reads it.
"""

import io
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image

from raymed.config import Augmentation, Experiment
from raymed.data.augmentation import augment
from raymed.data.batches import as_images
from raymed.data.folds import TEST
from raymed.data.images import Pixels
from raymed.files import digest, whole_file
from raymed.pipeline.decoding import ImageCache
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.members import Member
from raymed.pipeline.prepare import Prepared
from raymed.runs import RunFolder
from raymed.training.seeds import AUGMENTATION, derive_seed

VERSION = 1
SIDE = 128
"""Pixels a side that an image is shown with, at most."""
SAMPLES, DRAWS = 4, 5
"""Samples shown a recipe, at most, each of another class, and how often each is drawn."""

_COLUMNS = pa.schema(
    [
        ("members", pa.list_(pa.string())),
        ("size", pa.int32()),
        ("sample_id", pa.string()),
        ("label", pa.string()),
        ("images", pa.list_(pa.binary())),  # PNG: the sample as it is, then its draws
    ]
)
Wish = tuple[int, Augmentation]


def draw_augmented(
    experiment: Experiment, run: RunFolder, members: Sequence[Member], prepared: Prepared
) -> Iterator[Event]:
    """Write `augmented.parquet`, unless it is there for these very recipes and samples.

    Members whose size and augmentation are the same share their rows.
    """
    wishes = _wishes(members)
    if not experiment.evaluate.gallery or not wishes:
        run.augmented_file.unlink(missing_ok=True)  # it holds patients' images
        return
    rows = _first_of_each_class(prepared)
    names = prepared.manifest.table["sample_id"].to_numpy()
    meant = [[size, asked.meaning(), who] for (size, asked), who in wishes.items()]
    about = digest([VERSION, SIDE, DRAWS, experiment.seed, meant, names[rows].tolist()])
    if _stored(run) == about:
        return
    yield Stage("drawing augmented samples")
    cache, shown = ImageCache.of(experiment.cluster), list[dict[str, Any]]()
    for (size, asked), who in wishes.items():
        pixels = cache.open(prepared.manifest, size)
        generator = torch.Generator().manual_seed(derive_seed(experiment.seed, AUGMENTATION))
        for row in rows:
            shown.append(
                {
                    "members": who,
                    "size": size,
                    "sample_id": names[row],
                    "label": prepared.manifest.classes[prepared.manifest.table["label"].iloc[row]],
                    "images": [_png(each) for each in _drawn(pixels[row], asked, generator)],
                }
            )
    table = pa.Table.from_pylist(shown, _COLUMNS).replace_schema_metadata({"about": about})
    with whole_file(run.augmented_file) as temporary:
        pq.write_table(table, temporary)


def _wishes(members: Sequence[Member]) -> dict[Wish, list[str]]:
    """Name the members of each size and augmentation, in their order."""
    wishes: dict[Wish, list[str]] = {}
    for member in members:
        asked = member.recipe.augmentation
        if asked is not None and not asked.is_off:
            wishes.setdefault((member.recipe.size, asked), []).append(member.name)
    return wishes


def _first_of_each_class(prepared: Prepared) -> list[int]:
    """Choose samples that the models trained on: none of the test split."""
    labels = prepared.manifest.table["label"].to_numpy()
    training = np.flatnonzero(prepared.folds.fold != TEST)
    _, first = np.unique(labels[training], return_index=True)
    return [int(row) for row in training[first[:SAMPLES]]]


def _drawn(
    pixels: Pixels, asked: Augmentation, generator: torch.Generator
) -> list[npt.NDArray[np.uint8]]:
    """Give a sample as it is, then as so many draws leave it."""
    copies = as_images(np.stack([pixels] * DRAWS), torch.device("cpu"))
    changed = (255 * augment(copies, asked, generator)).round().to(torch.uint8)
    changed = changed.squeeze(1) if pixels.ndim == 2 else changed.permute(0, 2, 3, 1)
    return [np.asarray(pixels), *changed.numpy()]


def _stored(run: RunFolder) -> str | None:
    """Say what earlier pictures are about; a broken file is as good as none."""
    try:
        facts = pq.read_schema(run.augmented_file).metadata or {}
    except (OSError, pa.ArrowInvalid):
        return None
    about: bytes = facts.get(b"about", b"")
    return about.decode()


def _png(pixels: npt.NDArray[np.uint8]) -> bytes:
    image, content = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((SIDE, SIDE))
    image.save(content, "PNG")
    return content.getvalue()
