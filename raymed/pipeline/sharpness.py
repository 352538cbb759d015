"""Each member's sharpness, measured on a fixed sample once the stack stands.

A diagnostic: it comes after everything that is fitted or chosen, and nothing but the report
reads it.
"""

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from raymed.config import Experiment
from raymed.data.batches import Indices, inference_batches
from raymed.data.decoded.streaming import Images
from raymed.data.samples import SampleColumns
from raymed.errors import InputError
from raymed.files import digest, read_json, write_json
from raymed.losses import cross_entropy
from raymed.models import Classifier
from raymed.optim.sharpness import Loss, loss_line, loss_plane, measure_sharpness
from raymed.pipeline.decoding import ImageCache
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.members import Member, fold_model
from raymed.pipeline.prepare import Prepared
from raymed.training.checkpoints import FINAL
from raymed.training.inputs import Inputs
from raymed.training.seeds import SHARPNESS, derive_seed

SCHEMA = 1
FOLD = 0
ROWS = 64
PART = 16
"""Rows that are differentiated at once: a second derivative keeps all that led to it."""

SETTINGS: dict[str, Any] = {
    "rho": 0.05,
    "steps": 5,
    "adaptive_rho": 0.5,
    "noise": 0.1,
    "draws": 10,
    "probes": 5,  # second derivatives cost most
    "tolerance": 0.05,
    "iterations": 20,
}
LINE_POINTS, PLANE_POINTS = 21, 11  # a side


def measure_members(
    experiment: Experiment, members: Sequence[Member], prepared: Prepared, device: str
) -> Iterator[Event]:
    """Write `sharpness.json` of every member whose own is missing or of other content.

    Measured is the model of fold 0 on rows of that fold, in fp32; of a probe the head alone, on
    the backbone's features. A plane takes 121 losses, so only the members that the report shows
    side by side get one.
    """
    if not experiment.evaluate.sharpness:
        return
    samples = SampleColumns.of(prepared.manifest, prepared.folds)
    rows = sample_rows(samples, FOLD, experiment.seed)
    shown = experiment.surfaces_among([member.name for member in members])
    left = []
    for member in members:
        about, plane = (
            about_measurement(member, samples, rows, experiment.seed),
            member.name in shown,
        )
        stored = read_stored(member.folder.sharpness_file, about)
        if stored is None or (plane and stored["plane"] is None):
            left.append((member, about, stored, plane))
    for done, (member, about, stored, plane) in enumerate(left):
        yield Stage("measuring sharpness", done, len(left))
        images = ImageCache.of(experiment.cluster).open(prepared.manifest, member.recipe.size)
        fixed = FixedSample.of(member, images, samples, rows, device)
        measured = fixed.measure(derive_seed(experiment.seed, SHARPNESS), stored, plane)
        facts = {"about": about, "fold": FOLD, "sample_ids": samples.sample_ids[rows].tolist()}
        write_json(member.folder.sharpness_file, facts | measured)
    if left:
        yield Stage("measuring sharpness", len(left), len(left))


class FixedSample:
    """A member's model of one fold, with rows that it never trained on in memory."""

    def __init__(
        self, model: Classifier, inputs: Inputs, rows: Indices, labels: torch.Tensor
    ) -> None:
        self.model, self.inputs = model, inputs
        parts = list(inference_batches(np.arange(len(rows)), PART))
        self.batches = [(inputs.batch(rows[part]), labels[part]) for part in parts]
        self.count = len(rows)

    @classmethod
    def of(
        cls, member: Member, images: Images, samples: SampleColumns, rows: Indices, device: str
    ) -> "FixedSample":
        """Load a complete member's model and the sample; a probe's backbone stands still."""
        place = torch.device(device)
        model = fold_model(member, FOLD, samples.classes, device)
        inputs = Inputs(images, place)
        labels = torch.from_numpy(samples.labels[rows]).to(place)
        if member.recipe.is_probe:
            features = inputs.features_of(model, rows)
            model.backbone.requires_grad_(False)
            inputs, rows = Inputs(features, place, features=True), np.arange(len(rows))
        return cls(model, inputs, rows, labels)

    def losses(self) -> list[Loss]:
        """Give the mean cross-entropy in parts, without the recipe's weights and smoothing."""
        return [self._share(batch, labels) for batch, labels in self.batches]

    def accuracy(self) -> float:
        """Compute the share of right answers."""
        right = 0.0
        for batch, labels in self.batches:
            right += float((self.inputs.logits(self.model, batch).argmax(1) == labels).sum())
        return right / self.count

    def measure(self, seed: int, stored: dict[str, Any] | None, plane: bool) -> dict[str, Any]:
        """Measure what is not stored yet; JSON-ready, None in place of what is not finite."""
        started, loss = time.monotonic(), self.losses()
        found: dict[str, Any] = (
            dict(stored) if stored is not None else {"plane": None, "seconds": 0}
        )
        if stored is None:
            whole = any(each.requires_grad for each in self.model.backbone.parameters())
            found["trained"] = "all" if whole else "head"
            found["figures"] = asdict(
                measure_sharpness(self.model, loss, self.accuracy, **SETTINGS, seed=seed)
            )
            found["line"] = asdict(loss_line(self.model, loss, points=LINE_POINTS, seed=seed))
        if plane:
            found["plane"] = asdict(loss_plane(self.model, loss, points=PLANE_POINTS, seed=seed))
        found["seconds"] = round(found["seconds"] + time.monotonic() - started, 3)
        measured: dict[str, Any] = finite(found)
        return measured

    def _share(self, batch: torch.Tensor, labels: torch.Tensor) -> Loss:
        weight = len(labels) / self.count
        return lambda: weight * cross_entropy(self.inputs.logits(self.model, batch), labels)


def sample_rows(samples: SampleColumns, fold: int, seed: int, most: int = ROWS) -> Indices:
    """Draw at most `most` rows of a fold, one of each patient before a second of any; sorted."""
    rng = np.random.default_rng([seed, fold, SHARPNESS])
    return draw_rows(samples.held_out_rows(fold), samples.patients, most, rng)


def draw_rows(
    among: Indices, patients: npt.NDArray[np.object_], most: int, rng: np.random.Generator
) -> Indices:
    """Draw at most `most` of the rows, one of each patient before a second of any; sorted.

    `patients` names the patient of every sample.
    """
    rows = rng.permutation(among)
    patients = patients[rows]
    turns = pd.Series(patients).groupby(patients).cumcount().to_numpy()
    return np.sort(rows[np.argsort(turns, kind="stable")][:most])


def about_measurement(member: Member, samples: SampleColumns, rows: Indices, seed: int) -> str:
    """Name what a measurement rests on, so that it is not done twice."""
    done = member.folder.fold_facts(FOLD)
    weights = done["files"][f"{done['attempt']}/{FINAL}"]
    ids = samples.sample_ids[rows].tolist()
    return digest([SCHEMA, weights, ids, seed, SETTINGS, LINE_POINTS, PLANE_POINTS])


def read_stored(path: Path, about: str) -> dict[str, Any] | None:
    """Read an earlier measurement of the same; a broken file is as good as none."""
    try:
        found = read_json(path)
    except (OSError, InputError):
        return None
    return found if isinstance(found, dict) and found.get("about") == about else None


def finite(value: Any) -> Any:
    """Put None in the place of numbers that are not finite, which JSON does not know."""
    if isinstance(value, dict):
        return {key: finite(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [finite(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
