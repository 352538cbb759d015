"""For benchmarks/gpu.py: the demo built in several ways, and how alike they come out."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from scipy.special import log_softmax, softmax

from raymed.config import read_experiment
from raymed.ensemble.oof import read_oof
from raymed.files import read_json
from raymed.pipeline.build import build_events
from raymed.pipeline.demo import write_demo
from raymed.stories import result_of

FOLDS, MEMBERS = 3, ("cnn", "convnext", "hybrid")
"""Of the demo."""


@dataclass(frozen=True)
class Way:
    """How the demo is built."""

    name: str
    device: str
    engine: str
    workers: int
    precision: str = "fp32"

    def overrides(self, quick: bool) -> list[str]:
        """Say it to the configuration."""
        said = [f"cluster.{name}={getattr(self, name)}" for name in ("device", "engine", "workers")]
        said.append(f"defaults.precision={self.precision}")
        if quick:
            said += [
                f"recipes.{name}.phases=[{{train: all, epochs: 1, lr: 2e-3}}]" for name in MEMBERS
            ]
        return said


def ways(device: str) -> list[Way]:
    """List them; the first one is what the others are held against, the last one repeats it."""
    cores = len(os.sched_getaffinity(0))
    return [
        Way("workers", device, "workers", 3),
        Way("Ray Train", device, "train", 3),
        Way("workers, bf16", device, "workers", 3, "bf16"),
        Way("workers, CPU", "cpu", "workers", min(9, cores)),
        Way("workers, again", device, "workers", 3),
    ]


def agreement(folder: Path, device: str, quick: bool, keep: Callable[[Any], None]) -> None:
    """Build the demo in every way, one after the other; give its node's figures, and how alike."""
    for number, way in enumerate(ways(device)):
        own, begun = folder / str(number), time.monotonic()
        try:
            _demo(own, way, quick)
        except RuntimeError as error:
            keep({"way": way.name, "failed": str(error)})
            continue
        whole = round(time.monotonic() - begun, 1)
        (said,) = read_json(own / "run" / "metrics.json")["provenance"]["nodes"]
        figures = {name: said[name] for name in ("seconds", "images_per_second", "gpu_busy")}
        alike = _compared(own / "run", folder / "0" / "run")
        keep({"way": way.name, "whole_build": whole, **figures, **alike})


def _demo(folder: Path, way: Way, quick: bool) -> None:
    os.environ["RAYMED_CACHE"] = str(folder / "cache")
    write_demo(folder)
    experiment = read_experiment(folder / "demo.yaml", way.overrides(quick))
    built = result_of(build_events(experiment, folder / "run"))
    if built.failed:
        raise RuntimeError(str(built.failed))


def _compared(run: Path, first: Path) -> dict[str, Any]:
    """Compare two builds' out-of-fold predictions, and the first epoch's mean loss."""
    one, other = read_oof(first / "oof.arrow"), read_oof(run / "oof.arrow")
    assert len(one.members) == len(other.members)  # in one order; another precision, another id
    assert (one.labels == other.labels).all()
    apart = np.abs(softmax(one.logits, axis=2) - softmax(other.logits, axis=2))
    rows = np.arange(len(other.labels))
    losses = -log_softmax(other.logits, axis=2)[rows, :, other.labels].mean(axis=0)
    right = (other.logits.argmax(axis=2) == other.labels[:, None]).mean(axis=0)
    begins = np.array(list(_first_losses(run, other.members)))
    held = np.array(list(_first_losses(first, one.members)))
    metrics = read_json(run / "metrics.json")
    (stack,) = [
        row
        for row in metrics["rows"]
        if row["kind"] == "meta-learner" and row["name"] == metrics["chosen"]
    ]
    return {
        "members": list(MEMBERS),
        "log_loss": [round(float(x), 4) for x in losses],
        "accuracy": [round(float(x), 4) for x in right],
        "probability_apart_mean": [float(x) for x in apart.mean(axis=(0, 2))],
        "probability_apart_most": float(apart.max()),
        "bit_equal": bool((one.logits == other.logits).all()),
        "first_epoch_loss_apart_most": float(np.abs(begins - held).max()),
        "stack_log_loss": stack["oof"]["patient"]["metrics"]["log_loss"]["value"],
    }


def _first_losses(run: Path, members: tuple[str, ...]) -> Iterator[float]:
    """Give the mean training loss of every fold's first epoch."""
    for member in members:
        for fold in range(FOLDS):
            (file,) = run.glob(f"members/{member}*/fold-{fold}/*/epochs.parquet")
            yield float(pq.read_table(file)["loss"][0].as_py())
