"""Features of a frozen backbone: computed once per (images, weights, size), shared by all folds."""

import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from raymed.config import Recipe
from raymed.data.arrays import new_array
from raymed.data.decoded.entry import PREPARATION
from raymed.data.decoded.streaming import Source, open_images
from raymed.data.holding import hold
from raymed.files import complete, digest, mark_complete, whole_file
from raymed.models import build_classifier, weights_identity
from raymed.training.inputs import Inputs
from raymed.training.progress import Progress
from raymed.training.seeds import FIRST_WEIGHTS, derive_seed

FILE = "features.npy"


def feature_file(cache: Path, recipe: Recipe, images: str, seed: int) -> Path:
    """Name the .npy file for a recipe's features over a manifest's images (`Manifest.images`)."""
    weights = weights_identity(recipe.pretrained)
    first = seed if weights == "none" else None
    key = digest([images, PREPARATION, recipe.size, recipe.model, weights, first, recipe.precision])
    return cache / "features" / f"{key[:16]}-{recipe.model}-{recipe.size}px" / FILE


def compute_features(
    recipe: Recipe, images: Source, target: Path, device: str, seed: int
) -> Iterator[Progress]:
    """Fill `target` with float32 [samples, width], in batches of one fixed size.

    Does nothing when it is complete. Another process at the same work writes the same bytes.
    """
    hold(target.parent)
    if complete(target.parent) is not None:
        return
    torch.manual_seed(derive_seed(seed, FIRST_WEIGHTS))
    place = torch.device(device)
    model = build_classifier(recipe, 2).to(place)
    inputs = Inputs(open_images(images), place, bf16=recipe.precision == "bf16")
    count = len(inputs.array)
    width = model.head.in_features
    target.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(target) as temporary:
        features = new_array(temporary, np.float32, (count, width))
        started = time.monotonic()
        for rows, values in inputs.feature_batches(model, np.arange(count)):
            features[rows] = values
            done = int(rows[-1]) + 1
            speed = done / max(1e-9, time.monotonic() - started)
            yield Progress(done, count, images_per_second=speed)
        features.flush()
    mark_complete(target.parent, [FILE], model=recipe.model, size=recipe.size)
