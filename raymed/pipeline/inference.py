"""How long members, and what joins them, take to predict an image: measured side by side."""

import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch

from raymed.ensemble import MetaLearner, predict_folds
from raymed.files import digest, write_json
from raymed.models import Classifier, build_classifier
from raymed.pipeline.members import Member
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.sharpness import read_stored
from raymed.training.inputs import Inputs

SCHEMA = 1
BATCHES = (1, 32)
ROUNDS = 5
MOST_SECONDS = 10.0
"""No further round begins after so long, at one batch size."""

Work = Callable[[], object]


def measure_inference(
    file: Path,
    members: Sequence[Member],
    learners: Mapping[str, MetaLearner],
    prepared: Prepared,
    device: str,
) -> dict[str, Any]:
    """Measure milliseconds an image at each batch size, or read them from `file`; JSON-ready.

    A member, by its id, takes all its fold models one after another (a probe its backbone once) on
    decoded images; a learner, by its name, takes all members and then itself. Weights are drawn,
    for they change no time. A busy moment of the machine meets all of them alike.
    """
    facts = {"device": device, "threads": torch.get_num_threads(), "batches": list(BATCHES)}
    kinds = {name: learner.kind for name, learner in learners.items()}
    about = digest([SCHEMA, facts, [member.id for member in members], kinds])
    found = read_stored(file, about)
    if found is None:
        classes = len(prepared.manifest.classes)
        models = [build_classifier(member.recipe, classes, pretrained=False) for member in members]
        pairs = [(m, model.to(device).eval()) for m, model in zip(members, models, strict=True)]
        measured = {
            str(batch): _milliseconds(pairs, learners, prepared, device, batch) for batch in BATCHES
        }
        found = {"about": about, **facts, "milliseconds": measured}
        write_json(file, found)
    return found


def median_seconds(
    works: Mapping[str, Work], *, rounds: int = ROUNDS, most_seconds: float = MOST_SECONDS
) -> dict[str, float]:
    """Do every work once uncounted, then all of them in turn, round by round; median seconds."""
    for work in works.values():
        work()
    taken: dict[str, list[float]] = {name: [] for name in works}
    begun = time.perf_counter()
    for done in range(rounds):
        if done and time.perf_counter() - begun > most_seconds:
            break
        for name, work in works.items():
            started = time.perf_counter()
            work()
            taken[name].append(time.perf_counter() - started)
    return {name: median(seconds) for name, seconds in taken.items()}


def _milliseconds(
    pairs: Sequence[tuple[Member, Classifier]],
    learners: Mapping[str, MetaLearner],
    prepared: Prepared,
    device: str,
    batch: int,
) -> dict[str, dict[str, float]]:
    folds, classes = prepared.folds.count, len(prepared.manifest.classes)
    forward = {
        member.id: _forward(member, model, prepared.manifest.channels, device, batch)
        for member, model in pairs
    }
    logits = np.zeros((folds, batch, len(pairs), classes))
    join: dict[str, Work] = {
        name: partial(predict_folds, learner, logits) for name, learner in learners.items()
    }
    seconds = median_seconds({f"member {id_}": work for id_, work in forward.items()} | join)
    own = {
        member.id: seconds[f"member {member.id}"] * (1 if member.recipe.is_probe else folds)
        for member, _ in pairs
    }
    joined = {name: sum(own.values()) + seconds[name] for name in learners}
    return {
        "members": {id_: 1000 * taken / batch for id_, taken in own.items()},
        "joined": {name: 1000 * taken / batch for name, taken in joined.items()},
    }


def _forward(member: Member, model: Classifier, channels: int, device: str, batch: int) -> Work:
    """Prepare one forward pass over noise, from decoded pixels to logits on the CPU."""
    size = member.recipe.size
    shape = (batch, size, size) if channels == 1 else (batch, size, size, channels)
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    bf16 = member.recipe.precision == "bf16"
    inputs, rows = Inputs(pixels, torch.device(device), bf16=bf16), np.arange(batch)

    @torch.inference_mode()
    def work() -> object:
        return inputs.logits(model, inputs.batch(rows)).cpu()

    return work
