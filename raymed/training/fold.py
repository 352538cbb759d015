"""One unit of work: train one recipe on one fold, and predict what its model never saw."""

import math
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import torch

from raymed.config import Recipe
from raymed.data.arrays import open_array
from raymed.data.decoded.streaming import Source, open_images
from raymed.data.predictions import prediction_table
from raymed.data.samples import SampleColumns
from raymed.errors import TrainingError
from raymed.files import whole_file
from raymed.losses import cross_entropy
from raymed.models import Classifier, build_classifier
from raymed.training.checkpoints import load_progress, save_final, save_progress
from raymed.training.inputs import Inputs
from raymed.training.loop import EpochEnd, Trainer
from raymed.training.micro_batch import MicroBatch
from raymed.training.movement import GroupMoved, first_weights, model_movement
from raymed.training.progress import Curve, Progress
from raymed.training.prototypes import fit_prototypes
from raymed.training.ranks import ALONE, Ranks
from raymed.training.seeds import FIRST_WEIGHTS, derive_seed

_CURVE_SAMPLES = 4
"""Held-out samples a patient that an epoch's diagnostic loss is read from."""

_PROTOTYPE_SAMPLES = 32
"""Training samples a class that prototypes rest on until the last epoch; then all of them."""


@dataclass(frozen=True)
class FoldContext:
    """Where a unit runs: its files, its device, its seed. Nothing here is an opinion.

    `micro` is how much of a batch the device holds, as far as that is known; training adds to it.
    """

    member: str
    attempt: Path
    earlier_attempts: tuple[Path, ...]
    images: Source
    features: Path | None
    device: str
    seed: int
    checkpoint_seconds: float = 30.0
    report_seconds: float = 0.5
    ranks: Ranks = ALONE
    micro: MicroBatch = field(default_factory=MicroBatch)


def train_fold(
    recipe: Recipe, fold: int, samples: SampleColumns, context: FoldContext
) -> Generator[Progress, None, list[GroupMoved]]:
    """Train `recipe` on all folds but `fold`, then write the attempt's files.

    Continues from the furthest checkpoint of earlier attempts. Checkpoints, epochs and
    predictions (of the fold and of the test split) go to `context.attempt`; the caller marks
    them complete. Where several processes share the work all call this, the first one writes.
    The fixed schedule's last epoch is the model: nothing about the fold's own
    samples chooses it. Returns how far each layer group moved from its first weights, nothing
    from the other processes. Raises `TrainingError` for a loss that is not finite.
    """
    torch.manual_seed(derive_seed(context.seed, FIRST_WEIGHTS))
    device = torch.device(context.device)
    ranks = context.ranks
    resumed = ranks.agree(load_progress(context.earlier_attempts) if ranks.first else None)
    compared = ranks.first and context.features is None  # also a resumed fold: from the first ones
    pretrained = compared or resumed is None
    model = build_classifier(recipe, samples.classes, pretrained=pretrained).to(device)
    first = first_weights(model) if compared else None
    found = context.features
    array = open_images(context.images) if found is None else open_array(found)
    inputs = Inputs(array, device, context.features is not None, recipe.precision == "bf16")
    trainer = Trainer(recipe, inputs, samples, fold, context.seed, ranks, context.micro)
    if resumed is not None:
        model.load_state_dict(resumed.model)
    epochs = list(resumed.epochs) if resumed is not None else []
    yield from _run(trainer, model, resumed.optimizer if resumed else None, epochs, context)
    if not ranks.first:
        return []
    fit_prototypes(model, inputs, trainer.rows, samples.labels[trainer.rows])
    rows = np.concatenate([samples.held_out_rows(fold), samples.test_rows()])
    logits = inputs.predict_all(model, rows, samples.classes)
    if not np.isfinite(logits).all():
        raise TrainingError("the trained model predicts values that are not finite")
    predictions = prediction_table(
        samples,
        rows,
        logits,
        member=context.member,
        fold=fold,
        seed=context.seed,
        evidential=recipe.evidential is not None,
    )
    _write_table(predictions, context.attempt / "predictions.parquet")
    _write_table(pa.Table.from_pylist(epochs), context.attempt / "epochs.parquet")
    save_final(context.attempt, model, epochs)
    return model_movement(model, first)


def _run(
    trainer: Trainer,
    model: Classifier,
    state: dict[str, torch.Tensor] | None,
    epochs: list[dict[str, Any]],
    context: FoldContext,
) -> Iterator[Progress]:
    """Drive the loop: report at each epoch's end and in between, add to `epochs`, save in time."""
    steps, total = trainer.steps_per_epoch * trainer.epochs, trainer.epochs
    saved = reported = begun = time.monotonic()
    images = 0
    for event in trainer.train(model, done=len(epochs), state=state):
        now = time.monotonic()
        if isinstance(event, EpochEnd):
            first = context.ranks.first
            epochs.append(_describe(event, trainer, model) if first else {})
            due = now - saved >= context.checkpoint_seconds and len(epochs) < total
            written = context.attempt if context.ranks.agree(due) else None
            if written is not None:
                if first:
                    save_progress(written, model, event.optimizer, epochs)
                saved = now
            step, curve = len(epochs) * trainer.steps_per_epoch, _curve(epochs) if first else None
            yield Progress(
                step, steps, len(epochs), total, event.loss, checkpoint=written, curve=curve
            )
        else:
            images += event.images
            if now - reported >= context.report_seconds or event.step == steps:
                reported, speed = now, images / max(1e-9, now - begun)
                epoch = min(len(epochs) + 1, total)
                yield Progress(event.step, steps, epoch, total, event.loss, speed)


def _describe(event: EpochEnd, trainer: Trainer, model: Classifier) -> dict[str, Any]:
    """Write one epoch down, with a diagnostic loss on a few held-out samples a patient."""
    learned = trainer.samples.labels[trainer.rows]
    fit_prototypes(model, trainer.inputs, trainer.rows, learned, _PROTOTYPE_SAMPLES)
    rows = _few_of_each_patient(trainer.samples, trainer.fold)
    logits = torch.from_numpy(trainer.inputs.predict_all(model, rows, trainer.samples.classes))
    labels = torch.from_numpy(trainer.samples.labels[rows])
    held_out_loss = float(cross_entropy(logits, labels))
    return {
        "phase": event.phase,
        "train": trainer.recipe.phases[event.phase - 1].train,
        "epoch": event.epoch,
        "loss": event.loss,
        "skipped_steps": event.skipped,
        "accuracy": event.accuracy,
        "held_out_loss": held_out_loss if math.isfinite(held_out_loss) else None,  # no NaN in JSON
        "held_out_accuracy": float((logits.argmax(1) == labels).float().mean()),
        "lr_head": event.lr_head,
        "lr_stem": event.lr_stem,
        "seconds": event.seconds,
        "images_per_second": event.images / max(1e-9, event.seconds),
    }


def _curve(epochs: list[dict[str, Any]]) -> Curve:
    losses = [epoch["held_out_loss"] for epoch in epochs]
    return Curve(
        tuple(math.nan if loss is None else loss for loss in losses),
        sum(epoch["seconds"] for epoch in epochs),
    )


def _few_of_each_patient(samples: SampleColumns, fold: int) -> np.ndarray[Any, np.dtype[np.int64]]:
    rows = samples.held_out_rows(fold)
    kept: dict[object, list[int]] = {}
    for row in rows:
        kept.setdefault(samples.patients[row], []).append(int(row))
    few = []
    for own in kept.values():
        places = np.linspace(0, len(own) - 1, min(_CURVE_SAMPLES, len(own))).round().astype(int)
        few += [own[place] for place in places]
    return np.array(sorted(few), dtype=np.int64)


def _write_table(table: pa.Table, path: Path) -> None:
    with whole_file(path) as temporary:
        pq.write_table(table, temporary)
