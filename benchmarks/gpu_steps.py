"""For benchmarks/gpu.py: what data and augmentation take of a training step, and a whole epoch."""

import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from raymed.config import Recipe
from raymed.data.arrays import new_array, open_array
from raymed.data.augmentation import augment
from raymed.data.samples import SampleColumns
from raymed.models import build_classifier
from raymed.training.inputs import Inputs
from raymed.training.loop import EpochEnd, Trainer
from raymed.training.steps import take_step

CLASSES = 4
MODELS = ("resnet50", "vit_small_patch16_224")
AUGMENTATIONS: tuple[Any, ...] = ("none", {}, "mri", "ultrasound", "histology")
"""none, the default, and presets; what is drawn for `ultrasound` is a value a pixel."""


def data(folder: Path, device: str, quick: bool, keep: Callable[[Any], None]) -> None:
    """Time loading, augmenting and the rest of a step, then an epoch of the loop as it comes."""
    samples, size, steps = (64, 32, 3) if quick else (3200, 224, 20)
    models = ("resnet10t",) if quick else MODELS
    folder.mkdir(parents=True, exist_ok=True)
    pixels = new_array(folder / "pixels.npy", np.uint8, (samples, size, size))
    rng = np.random.default_rng(0)
    for row in range(samples):
        pixels[row] = rng.integers(0, 256, (size, size), dtype=np.uint8)
    pixels.flush()
    torch.set_num_threads(1)  # as in the workers
    for model in models:
        for precision in ("bf16", "fp32"):
            for augmentation in AUGMENTATIONS if precision == "bf16" else AUGMENTATIONS[:2]:
                recipe = _recipe(model, size, precision, augmentation, 16 if quick else 64)
                array = open_array(folder / "pixels.npy")
                inputs = Inputs(array, torch.device(device), bf16=precision == "bf16")
                trainer = Trainer(recipe, inputs, _columns(samples), fold=0, seed=0)
                row = _shares(trainer, steps)
                if augmentation in ("none", {}, "mri"):
                    row["epoch_images_per_second"] = _epoch(trainer)
                named = augmentation if isinstance(augmentation, str) else "default"
                keep({"model": model, "precision": precision, "augmentation": named, **row})


def _recipe(model: str, size: int, precision: str, augmentation: Any, batch: int) -> Recipe:
    return Recipe.model_validate(
        {
            "model": model,
            "pretrained": "none",
            "size": size,
            "batch_size": batch,
            "precision": precision,
            "augmentation": augmentation,
            "phases": [{"train": "all", "epochs": 2, "lr": 1e-4}],
        }
    )


def _shares(trainer: Trainer, steps: int) -> dict[str, float]:
    """Time a step's parts, each waited for: medians, milliseconds."""
    inputs, recipe = trainer.inputs, trainer.recipe
    model = build_classifier(recipe, CLASSES, pretrained=False).to(inputs.device)
    optimizer = trainer.enter(model, recipe.phases[-1])
    draws = trainer.draws(0)
    batches, warm = trainer.epoch_batches(0), 5
    took: dict[str, list[float]] = {"load": [], "augment": [], "train": []}
    for rows in (batches * (steps + warm))[: steps + warm]:
        marks = [_now(inputs.device)]
        images = inputs.batch(rows)
        marks.append(_now(inputs.device))
        if recipe.augmentation is not None:
            augment(images, recipe.augmentation, draws.augmentation)
        marks.append(_now(inputs.device))
        loss = trainer.batch_loss(model, rows, draws)
        begun = _now(inputs.device)
        take_step(optimizer, loss, recipe, done=1.0)
        took["load"].append(marks[1] - marks[0])
        took["augment"].append(marks[2] - marks[1])
        took["train"].append(_now(inputs.device) - begun)
    return {name: 1e3 * statistics.median(each[warm:]) for name, each in took.items()}


def _epoch(trainer: Trainer) -> float:
    """Give images a second of an epoch as the loop runs it; the one before it warms up."""
    model = build_classifier(trainer.recipe, CLASSES, pretrained=False).to(trainer.inputs.device)
    ends = [each for each in trainer.train(model) if isinstance(each, EpochEnd)]
    return ends[-1].images / ends[-1].seconds


def _now(device: torch.device) -> float:
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter()


def _columns(samples: int) -> SampleColumns:
    """Make samples without a fold of their own: all but a few are trained on."""
    rows = np.arange(samples)
    names = np.array([str(row) for row in rows], dtype=object)
    fold = np.where(rows < 2, 0, 1).astype(np.int16)
    return SampleColumns(names, names, names, rows % CLASSES, fold, CLASSES)
