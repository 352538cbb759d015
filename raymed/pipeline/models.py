"""`raymed models`: what the model of every configured member costs, counted and measured."""

import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Literal

import numpy as np
import torch

from raymed.config import Experiment, Recipe
from raymed.errors import InputError
from raymed.losses import cross_entropy
from raymed.models import Classifier, ModelCost, build_classifier, describe_model
from raymed.optim import build_optimizer
from raymed.pipeline.memory import resident_bytes
from raymed.pipeline.placement import place
from raymed.training.inputs import INFERENCE_BATCH, Inputs
from raymed.training.phases import enter_phase

Device = Literal["cpu", "cuda"]

_SECONDS = 3.0
"""How long a model is timed after its first step, unless one step takes longer."""


@dataclass(frozen=True)
class ModelRow:
    """One member: its model's cost, and how one process with one thread or GPU works on it.

    `work` is what was timed: `training`, steps of the last phase at the recipe's batch size, or a
    probe's `features`. `peak_bytes` is, on CUDA, the most that torch had allocated; on a CPU how
    far the process's resident memory grew over what it was before the model was built; None
    where the system does not tell.
    """

    member: str
    model: str
    cost: ModelCost
    work: Literal["training", "features"]
    device: Device
    batch_size: int
    images_per_second: float
    peak_bytes: int | None


def model_rows(experiment: Experiment) -> Iterator[ModelRow]:
    """Measure every recipe's model in a new process of its own, on images of noise.

    Neither the data nor pretrained weights are opened. Raises `InputError` for a model or size
    that cannot be built.
    """
    device = place(experiment).device
    classes = len(experiment.data.classes or (0, 1))
    for name, recipe in experiment.recipes.items():
        with ProcessPoolExecutor(1, get_context("spawn")) as process:
            try:
                yield process.submit(_measure, name, recipe, classes, device).result()
            except InputError as error:
                place_in_file = f"recipes.{name}.{error.place}"
                raise InputError(place_in_file, error.fault, error.remedy) from None


def _measure(name: str, recipe: Recipe, classes: int, device: Device) -> ModelRow:
    torch.set_num_threads(1)
    before = resident_bytes("VmRSS")
    model = build_classifier(recipe, classes, pretrained=False)
    enter_phase(model, recipe.phases[-1], freeze_batchnorm=recipe.freeze_batchnorm)
    cost = describe_model(model, recipe.size)
    model.to(device)
    batch = INFERENCE_BATCH if recipe.is_probe else recipe.batch_size
    pixels = np.random.default_rng(0).integers(0, 256, (batch, recipe.size, recipe.size))
    inputs = Inputs(pixels.astype(np.uint8), torch.device(device), bf16=recipe.precision == "bf16")
    steps = _features(model, inputs) if recipe.is_probe else _training(model, inputs, recipe)
    speed = batch * _steps_per_second(steps, device)
    if device == "cuda":
        peak: int | None = torch.cuda.max_memory_allocated()
    else:
        most = resident_bytes("VmHWM")
        peak = None if most is None or before is None else most - before
    work: Literal["training", "features"] = "features" if recipe.is_probe else "training"
    return ModelRow(name, recipe.model, cost, work, device, batch, speed, peak)


def _steps_per_second(steps: Iterator[None], device: Device) -> float:
    next(steps)  # the first one also allocates and chooses kernels
    _wait(device)
    started, count = time.monotonic(), 0
    while count == 0 or time.monotonic() - started < _SECONDS:
        next(steps)
        _wait(device)
        count += 1
    return count / (time.monotonic() - started)


def _wait(device: Device) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _features(model: Classifier, inputs: Inputs) -> Iterator[None]:
    while True:
        inputs.features_of(model, np.arange(len(inputs.array)))
        yield


def _training(model: Classifier, inputs: Inputs, recipe: Recipe) -> Iterator[None]:
    names = [name for name, _ in model.named_parameters()]
    new = model.new_parameters()
    optimizer = build_optimizer(model, [names], recipe.phases[-1], recipe.optimizer, new=new)
    rows, generator = np.arange(len(inputs.array)), torch.Generator().manual_seed(0)
    labels = torch.zeros(len(rows), dtype=torch.int64, device=inputs.device)
    while True:
        batch = inputs.training_batch(rows, recipe.augmentation, generator)
        loss = cross_entropy(inputs.logits(model, batch), labels)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        yield
