"""The ensemble as one module: members and meta-learner in one forward pass."""

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Self

import numpy as np
import timm
import torch
from torch import nn
from torch.nn import functional

from raymed.config import Recipe
from raymed.ensemble import MetaLearner, Stack, predict_folds, read_stack
from raymed.errors import InputError
from raymed.models import Classifier, build_classifier
from raymed.predict.member import fold_attempt, member_recipe
from raymed.runs import RunFolder
from raymed.training.checkpoints import load_final

HIDDEN = (64, 32)
DROPOUT = 0.2


class EnsembleMetaClassifier(nn.Module):
    """timm classifiers with a neural meta-learner on top, from images to logits.

    logits = log of the mean of the members' probabilities, corrected by two ReLU layers over their
    log-probabilities whose last one starts at zero: a new ensemble is the mean of its members. All
    of it trains end to end; `meta` alone is trained where the members are frozen.
    """

    def __init__(
        self,
        model_names: Sequence[str],
        num_classes: int,
        device: str = "cpu",
        *,
        pretrained: bool = False,
        size: int = 224,
    ) -> None:
        """Build one member a name, in order; images are resized to `size` or what a model is for.

        Raises `InputError` for an unknown name, and for fewer than one name or two classes.
        """
        super().__init__()
        if not model_names or num_classes < 2:
            raise InputError(
                "EnsembleMetaClassifier",
                f"{len(model_names)} models, {num_classes} classes",
                "give at least one model and two classes",
            )
        source = "hub" if pretrained else "none"
        recipes = [
            Recipe.model_validate({"model": name, "pretrained": source, "size": _size(name, size)})
            for name in model_names
        ]
        self.sizes = [recipe.size for recipe in recipes]
        self.members = nn.ModuleList(build_classifier(recipe, num_classes) for recipe in recipes)
        self.meta = _correction(len(recipes), num_classes)
        self.to(device)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images float [b, 1 or 3, h, w] in 0..1 to logits [b, classes]."""
        logs = torch.stack(
            [
                functional.log_softmax(member(resized(images, size)), dim=1)
                for member, size in zip(self.members, self.sizes, strict=True)
            ],
            dim=1,
        )
        mean = torch.logsumexp(logs, dim=1) - np.log(len(self.members))
        corrected: torch.Tensor = mean + self.meta(logs.flatten(1))
        return corrected

    @classmethod
    def from_run(cls, run: Path | str, device: str = "cpu") -> "FittedEnsemble":
        """Load the fitted stack of a run folder: fold models, members, meta-learner, temperature.

        Raises `InputError` for a folder without a complete stack.
        """
        return FittedEnsemble.of(RunFolder.existing(run)).to(device)


class FittedEnsemble(nn.Module):
    """A run's stack as one module for prediction; log-probabilities stand for logits."""

    def __init__(
        self, members: Sequence[Sequence[Classifier]], sizes: Sequence[int], learner: MetaLearner
    ) -> None:
        """Take the fold models of each member."""
        super().__init__()
        self.members = nn.ModuleList(nn.ModuleList(folds) for folds in members)
        self.sizes, self.meta_learner = list(sizes), learner
        self.eval()

    @classmethod
    def of(cls, run: RunFolder) -> Self:
        """Load what `raymed build` left in a run folder."""
        stack = read_stack(run.stack_folder)
        members, sizes = [], []
        for name in stack.members:
            recipe = member_recipe(run.member(name))
            members.append([_fold_model(run, stack, name, f, recipe) for f in range(stack.folds)])
            sizes.append(recipe.size)
        return cls(members, sizes, stack.meta_learner)

    @torch.inference_mode()
    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images float [b, 1 or 3, h, w] in 0..1 to log-probabilities [b, classes].

        Images of the recipes' own size give what `raymed predict` gives; others are resized here.
        """
        per_member = []
        for folds, size in zip(self.members, self.sizes, strict=True):
            batch = resized(images, size)
            per_member.append(torch.stack([model(batch).float() for model in _each(folds)]))
        logits = torch.stack(per_member, dim=2)  # [folds, b, members, classes]
        combined = predict_folds(self.meta_learner, logits.cpu().numpy())["image"]
        return torch.from_numpy(np.log(combined)).to(images.device, images.dtype)

    def train(self, mode: bool = True) -> Self:
        """Stay in eval mode: what was fitted to these models holds for them as they are."""
        return super().train(False)


def resized(images: torch.Tensor, size: int) -> torch.Tensor:
    """Resize a batch to a square, with antialiasing; one that fits already is left alone."""
    if images.shape[-2:] == (size, size):
        return images
    return functional.interpolate(
        images, (size, size), mode="bilinear", antialias=True, align_corners=False
    )


def _size(name: str, size: int) -> int:
    configured = timm.get_pretrained_cfg(name)
    if configured is not None and configured.fixed_input_size:
        return int(configured.input_size[-1])
    return size


def _correction(members: int, classes: int) -> nn.Sequential:
    widths = (members * classes, *HIDDEN)
    layers: list[nn.Module] = []
    for wide, narrow in pairwise(widths):
        layers += [nn.Linear(wide, narrow), nn.ReLU(), nn.Dropout(DROPOUT)]
    last = nn.Linear(widths[-1], classes)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return nn.Sequential(*layers, last)


def _fold_model(run: RunFolder, stack: Stack, member: str, fold: int, recipe: Recipe) -> Classifier:
    model = build_classifier(recipe, len(stack.classes), pretrained=False)
    load_final(fold_attempt(run.member(member), fold), model)
    return model


def _each(folds: nn.Module) -> Sequence[nn.Module]:
    return list(folds.children())
