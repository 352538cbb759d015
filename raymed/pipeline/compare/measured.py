"""What is measured of a compared member beside what it predicts: its own samples, its sharpness."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from raymed.evaluation import to_patient_level
from raymed.files import digest, read_json, write_json
from raymed.optim.sharpness import accuracy_drop, rho_sharpness
from raymed.pipeline.compare.repeats import Repeat
from raymed.pipeline.decoding import ImageCache
from raymed.pipeline.members import Member, fold_model
from raymed.pipeline.sharpness import (
    FOLD,
    SETTINGS,
    FixedSample,
    about_measurement,
    draw_rows,
    finite,
    read_stored,
    sample_rows,
)
from raymed.training.inputs import Inputs
from raymed.training.seeds import SEEN_SAMPLES, SHARPNESS, derive_seed

SCHEMA = 1
SEEN_ROWS = 400
"""Training samples that each fold's model is asked about, spread over the patients."""


def measure(member: Member, repeat: Repeat, device: str, *, sharpness: bool) -> dict[str, Any]:
    """Measure what is not written down yet of these very weights; JSON-ready.

    `train_accuracy` is the mean over fold models, each on a sample of what it learned from;
    `sharpness`, if asked for, is that of fold 0's model.
    """
    file = repeat.run.comparison_folder / "members" / f"{member.id}.json"
    done = read_json(member.folder.path / "DONE.json")
    about = digest([SCHEMA, done["files"], SEEN_ROWS, SETTINGS])
    found = read_stored(file, about) or {
        "about": about,
        "train_accuracy": _train_accuracy(member, repeat, device),
        "sharpness": None,
    }
    if sharpness and found["sharpness"] is None:
        found["sharpness"] = finite(_sharpness(member, repeat, device))
    write_json(file, found)
    return found


def _train_accuracy(member: Member, repeat: Repeat, device: str) -> float:
    samples, manifest = repeat.samples, repeat.prepared.manifest
    cache = ImageCache.of(repeat.experiment.cluster)
    images = cache.open(manifest, member.recipe.size)
    inputs = Inputs(images, torch.device(device), bf16=member.recipe.precision == "bf16")
    shares = []
    for fold in range(repeat.prepared.folds.count):
        rng = np.random.default_rng([repeat.experiment.seed, fold, SEEN_SAMPLES])
        rows = draw_rows(samples.training_rows(fold), samples.patients, SEEN_ROWS, rng)
        model = fold_model(member, fold, samples.classes, device)
        logits = inputs.predict_all(model, rows, samples.classes).astype(np.float64)
        probabilities, labels = softmax(logits, axis=1), samples.labels[rows]
        if manifest.patients_declared:
            people = to_patient_level(probabilities, labels, samples.patients[rows])
            probabilities, labels = people.probabilities, people.labels
        shares.append(float((probabilities.argmax(axis=1) == labels).mean()))
    return float(np.mean(shares))


def _sharpness(member: Member, repeat: Repeat, device: str) -> Mapping[str, Any]:
    """Find the rise within a ball and the accuracy lost to noise; a build may have measured them.

    Second derivatives, which cost most, are left to a build with `evaluate.sharpness`.
    """
    samples, experiment = repeat.samples, repeat.experiment
    rows = sample_rows(samples, FOLD, experiment.seed)
    about = about_measurement(member, samples, rows, experiment.seed)
    stored = read_stored(member.folder.sharpness_file, about)
    names = ("several_steps", "accuracy_drop", "accuracy_drop_error")
    if stored is not None:
        return {name: stored["figures"][name] for name in names}
    cache = ImageCache.of(experiment.cluster)
    images = cache.open(repeat.prepared.manifest, member.recipe.size)
    fixed = FixedSample.of(member, images, samples, rows, device)
    drop = accuracy_drop(
        fixed.model,
        fixed.accuracy,
        sigma=SETTINGS["noise"],
        draws=SETTINGS["draws"],
        seed=derive_seed(experiment.seed, SHARPNESS),
    )
    rise = rho_sharpness(fixed.model, fixed.losses(), rho=SETTINGS["rho"], steps=SETTINGS["steps"])
    return dict(zip(names, (rise, drop.mean, drop.standard_error), strict=True))
