"""A few steps of a recipe on a model that is thrown away, for what they take of the device."""

import numpy as np
import torch

from raymed.config import Recipe
from raymed.data.decoded.streaming import Source, open_images
from raymed.models import build_classifier
from raymed.training.batch_loss import Batch, BatchLoss
from raymed.training.inputs import INFERENCE_BATCH, Inputs
from raymed.training.micro_batch import MicroBatch
from raymed.training.objective import Objective
from raymed.training.phases import begin_phase
from raymed.training.ranks import ALONE
from raymed.training.steps import take_fitting_step

_STEPS = 2
"""Steps of each phase: the optimizer has its state from the second one on."""
_JOINED = 1
"""Samples that a batch may have more than `batch_size`, where a last one is too small."""


def try_steps(recipe: Recipe, images: Source, classes: int, device: str) -> MicroBatch:
    """Take two steps of each phase at the recipe's batch, and predict; a probe only predicts.

    Weights are random and all images of one class: memory depends on neither. Returns how much
    of a batch the device holds at once. Raises `TrainingError` where it holds no two samples.
    """
    place, micro = torch.device(device), MicroBatch()
    model = build_classifier(recipe, classes, pretrained=False).to(place)
    inputs = Inputs(open_images(images), place, bf16=recipe.precision == "bf16")
    count = len(inputs.array)
    if not recipe.is_probe:
        rows = np.arange(min(count, recipe.batch_size + _JOINED))
        batch = inputs.training_batch(rows, recipe.augmentation, torch.Generator().manual_seed(0))
        labels = torch.zeros(len(rows), dtype=torch.int64, device=place)
        of_one = Batch(batch, labels, torch.arange(len(rows), device=place))
        for phase in recipe.phases:
            optimizer = begin_phase(recipe, model, phase)
            for _ in range(_STEPS):
                objective = Objective(recipe, classes)
                loss = BatchLoss(model, inputs, of_one, objective, ALONE, len(rows))
                take_fitting_step(optimizer, loss, recipe, 1.0, micro)
    some = np.arange(min(count, INFERENCE_BATCH))
    if recipe.is_probe:
        inputs.features_of(model, some)
    else:
        inputs.predict_all(model, some, classes)
    return micro
