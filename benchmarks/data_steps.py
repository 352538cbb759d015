"""For benchmarks/data.py: data's share of a training step, and the warp alone."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch.nn import functional

from raymed.config import Augmentation, Recipe, read_experiment
from raymed.data.augmentation import draw
from raymed.data.augmentation.geometry import warp
from raymed.data.samples import SampleColumns
from raymed.models import build_classifier
from raymed.training.inputs import Inputs
from raymed.training.loop import Trainer
from raymed.training.steps import take_step

CONFIG = Path(__file__).parents[1] / "configs/alzheimer.yaml"
LEAST_SHARE = 0.05
WARM_UP = 16  # steps; features of so many are loaded at once
CLASSES, SAMPLES = 4, 6400


def data_shares(steps: int) -> tuple[list[str], float]:
    """Measure every member of the configuration; give the table and the largest share."""
    lines = ["| member | work | data | step | share |", "|---|---|---|---|---|"]
    largest = 0.0
    for name, recipe in read_experiment(CONFIG).recipes.items():
        data, whole = _step(recipe, steps)
        largest = max(largest, data / whole)
        what = f"{recipe.size} px, batch of {recipe.batch_size}"
        what = f"cached features, batch of {recipe.batch_size}" if recipe.is_probe else what
        lines.append(
            f"| {name} | {what} | {1e3 * data:.1f} ms | {1e3 * whole:.1f} ms | {data / whole:.1%} |"
        )
        print(lines[-1], flush=True)
    return lines, largest


def _step(recipe: Recipe, steps: int) -> tuple[float, float]:
    """Time loading and augmenting, and the whole step, in the last phase: means, seconds."""
    model = build_classifier(recipe, CLASSES, pretrained=False)
    pixels = np.random.default_rng(0).integers(0, 256, (SAMPLES, recipe.size, recipe.size))
    inputs = Inputs(pixels.astype(np.uint8), torch.device("cpu"))
    if recipe.is_probe:
        features = inputs.features_of(model, np.arange(8))
        inputs = Inputs(np.repeat(features, SAMPLES // 8, axis=0), inputs.device, features=True)
    trainer = Trainer(recipe, inputs, _columns(), fold=0, seed=0)
    phase = recipe.phases[-1]
    optimizer, draws = trainer.enter(model, phase), trainer.draws(0)
    batches = (trainer.epoch_batches(0) * steps)[: steps + WARM_UP]
    losses = trainer.batch_losses(model, batches, draws, epoch=0)
    data = whole = 0.0
    for number in range(len(batches)):
        if number == WARM_UP:
            data = whole = 0.0
        begun = time.perf_counter()
        loss = next(losses)
        data += time.perf_counter() - begun
        take_step(optimizer, loss, recipe, done=1.0)
        whole += time.perf_counter() - begun
    return data / steps, whole / steps


def _columns() -> SampleColumns:
    """Make samples without a fold of their own: all but a few are trained on."""
    rows = np.arange(SAMPLES)
    names = np.array([str(row) for row in rows], dtype=object)
    fold = np.where(rows < 8, 0, 1).astype(np.int16)
    return SampleColumns(names, names, names, rows % CLASSES, fold, CLASSES)


def warps() -> list[str]:
    """Time torch's affine warp, raymed's to the same bits, and OpenCV's where it is installed."""
    lines = [
        "| images | affine_grid, grid_sample | raymed | OpenCV, uint8 |",
        "|---|---|---|---|",
    ]
    for size in (96, 224):
        for channels in (1, 3):
            shape = torch.Size((32, channels, size, size))
            generator = torch.Generator().manual_seed(0)
            images = torch.rand(shape, generator=generator)
            matrices = draw(shape, Augmentation(), generator).matrices

            def torchs(
                images: torch.Tensor = images, matrices: torch.Tensor = matrices
            ) -> torch.Tensor:
                grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
                return functional.grid_sample(images, grid, align_corners=False)

            def ours(
                images: torch.Tensor = images, matrices: torch.Tensor = matrices
            ) -> torch.Tensor:
                return warp(images, matrices)

            assert torch.equal(torchs(), ours())
            cells = [f"{1e3 * _least(each) / 32:.2f}" for each in (torchs, ours)]
            cells.append(_opencv(images))
            lines.append(f"| {size} px, {channels} | " + " | ".join(cells) + " |")
    return lines


def _opencv(images: torch.Tensor) -> str:
    try:
        import cv2
    except ImportError:
        return "not installed"
    cv2.setNumThreads(1)
    pixels = (255 * images).to(torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    turned = cv2.getRotationMatrix2D((images.shape[3] / 2, images.shape[2] / 2), 7.0, 1.05)

    def work() -> None:
        for image in pixels:
            cv2.warpAffine(image, turned, image.shape[1::-1], flags=cv2.INTER_LINEAR)

    return f"{1e3 * _least(work) / 32:.2f}"


def _least(work: Callable[[], object]) -> float:
    """Give the least processor time of some runs: what other work adds only lengthens it."""
    took = []
    for _ in range(9):
        begun = time.process_time()
        work()
        took.append(time.process_time() - begun)
    return min(took)
