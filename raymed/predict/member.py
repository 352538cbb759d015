"""A member of a run's stack: its recipe, its fold models, what they say of new pixels."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import yaml

from raymed.config import Recipe
from raymed.data.decoded.streaming import Images
from raymed.ensemble import Stack
from raymed.errors import InputError
from raymed.models import build_classifier
from raymed.predict.views import draw_views, viewed_batches
from raymed.runs import MemberFolder
from raymed.training import Progress
from raymed.training.checkpoints import load_final
from raymed.training.inputs import Inputs

Logits = npt.NDArray[np.float32]
"""Of the fold models of one member: [folds, images, classes]."""


def room_for_logits(stack: Stack, images: int) -> Logits:
    """Make room for what a member of a stack says of so many images."""
    return np.zeros((stack.folds, images, len(stack.classes)), dtype=np.float32)


def predict_member(
    member: MemberFolder, pixels: Images, logits: Logits, device: str, tta: int = 1
) -> Iterator[Progress]:
    """Fill `logits` with what each fold model of a member says of `pixels`, a batch at a time.

    With `tta` above 1 it is the log of its mean probability over so many views of each image,
    where the member was trained with augmentation. Pixels are uint8 [images, size, size] or
    [images, size, size, 3], at the size of the member's recipe. Raises `InputError` for a member
    that is missing or harmed.
    """
    recipe, rows = member_recipe(member), np.arange(len(pixels))
    inputs = Inputs(pixels, torch.device(device), bf16=recipe.precision == "bf16")
    model = build_classifier(recipe, logits.shape[2], pretrained=False).to(device)
    views = draw_views(recipe, tta, 1 if pixels.ndim == 3 else 3)
    done, steps = 0, (len(logits) + recipe.is_probe) * len(rows)
    for fold in range(len(logits)):
        load_final(fold_attempt(member, fold), model)
        if recipe.is_probe and fold == 0:  # its fold models share the backbone
            features = []
            for part, found in inputs.feature_batches(model, rows):
                features.append(found)
                done += len(part)
                yield Progress(done, steps)
            inputs = Inputs(np.concatenate(features), inputs.device, features=True)
        for part, predicted in viewed_batches(inputs, model, rows, recipe.augmentation, views):
            logits[fold, part] = predicted
            done += len(part)
            yield Progress(done, steps)


def member_recipe(member: MemberFolder) -> Recipe:
    """Read the recipe that a member was trained by."""
    return named_recipe(member)[1]


def named_recipe(member: MemberFolder) -> tuple[str, Recipe]:
    """Read a member's name and the recipe that it was trained by."""
    try:
        content = yaml.safe_load((member.path / "recipe.yaml").read_text(encoding="utf-8"))
        return str(content["name"]), Recipe.model_validate(content["recipe"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"member {member.id}", f"its recipe cannot be read ({error})", "build again"
        ) from None


def fold_attempt(member: MemberFolder, fold: int) -> Path:
    """Find the attempt that counts of a member's fold."""
    attempt = member.completed_fold(fold)
    if attempt is None:
        raise InputError(
            f"member {member.id}, fold {fold}", "is missing or harmed", "run raymed build again"
        )
    return attempt
