"""Augmented samples, where a run drew some: what training showed the models."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image

from raymed.config import Recipe
from raymed.data.shown_ids import ShownIds
from raymed.report.recipes import describe_augmentation
from raymed.runs import RunFolder
from raymed.tables import read_parquet

QUALITY = 80  # of WebP


@dataclass(frozen=True)
class AugmentedSample:
    """One sample as it is, then drawn several times: data URIs."""

    sample_id: str  # as it is shown
    label: str
    side: tuple[int, int]  # width and height, pixels
    images: Sequence[str]


@dataclass(frozen=True)
class AugmentedRecipe:
    """The samples of members that share size and augmentation, and what that is in words."""

    members: Sequence[str]
    words: str
    size: int
    samples: Sequence[AugmentedSample]


def read_augmented(run: RunFolder, ids: ShownIds) -> tuple[AugmentedRecipe, ...]:
    """Read what `raymed build` drew; nothing where the experiment asks for no images."""
    experiment = run.experiment()
    if not experiment.evaluate.gallery or not run.augmented_file.is_file():
        return ()
    found: dict[tuple[str, ...], list[AugmentedSample]] = {}
    sizes: dict[tuple[str, ...], int] = {}
    for row in read_parquet(run.augmented_file).to_pylist():
        members = tuple(row["members"])
        sizes[members] = row["size"]
        images = [Image.open(io.BytesIO(content)) for content in row["images"]]
        uris = [_data_uri(image) for image in images]
        name = ids.sample(row["sample_id"])
        sample = AugmentedSample(name, row["label"], images[0].size, uris)
        found.setdefault(members, []).append(sample)
    recipes = experiment.recipes
    return tuple(
        AugmentedRecipe(members, _words(recipes.get(members[0])), sizes[members], samples)
        for members, samples in found.items()
    )


def _words(recipe: Recipe | None) -> str:
    return describe_augmentation(recipe) if recipe is not None else ""


def _data_uri(image: Image.Image) -> str:
    content = io.BytesIO()
    image.save(content, "WEBP", quality=QUALITY)
    return f"data:image/webp;base64,{base64.b64encode(content.getvalue()).decode()}"
