"""Test-time augmentation: an image looked at several times, changed as in training."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from raymed.config import Augmentation, Recipe
from raymed.data.augmentation import Draws, change, draw
from raymed.data.batches import Indices, inference_batches
from raymed.models import Classifier
from raymed.training.inputs import INFERENCE_BATCH, Inputs
from raymed.training.seeds import VIEWS, derive_seed

CALIBRATION = (
    "temperatures, thresholds and conformal sets were fitted to predictions of plain images; "
    "what coverage and calibration they have on averaged views was not measured"
)
"""What an output says about averaged views."""


def averages_views(recipe: Recipe, tta: int) -> bool:
    """Tell whether a member looks several times: not without augmentation of its own."""
    return tta > 1 and recipe.augmentation is not None and not recipe.augmentation.is_off


def draw_views(recipe: Recipe, tta: int, channels: int) -> list[Draws]:
    """Draw the changes of all views but the first, which is the image as it is.

    There are none where the recipe has no augmentation. Every image gets the same ones, whatever
    is predicted beside it: one row of draws a view, of a fixed seed.
    """
    asked = recipe.augmentation
    if asked is None or not averages_views(recipe, tta):
        return []
    shape = torch.Size((1, channels, recipe.size, recipe.size))
    seeds = (derive_seed(0, VIEWS, view) for view in range(1, tta))
    return [draw(shape, asked, torch.Generator().manual_seed(seed)) for seed in seeds]


def viewed_batches(
    inputs: Inputs,
    model: Classifier,
    rows: Indices,
    asked: Augmentation | None,
    views: Sequence[Draws],
) -> Iterator[tuple[Indices, npt.NDArray[np.float32]]]:
    """Give, a batch at a time, the log of the mean probability over the plain image and all views.

    It stands for logits, float32 [b, classes]; the model is set to eval. Without views the logits
    are the model's own.
    """
    if asked is None or not views:
        yield from inputs.logit_batches(model, rows)
        return
    model.eval()
    for part in inference_batches(rows, INFERENCE_BATCH):
        with torch.inference_mode():
            plain = inputs.batch(part)
            same = torch.zeros(len(part), dtype=torch.int64)
            total = functional.log_softmax(inputs.logits(model, plain), dim=1)
            for draws in views:
                logits = inputs.logits(model, change(plain, draws.take(same), asked))
                total = torch.logaddexp(total, functional.log_softmax(logits, dim=1))
        yield part, (total - math.log(1 + len(views))).cpu().numpy()
