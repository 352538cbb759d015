"""For benchmarks/gpu.py: builds in several ways, how alike they come out, and a sweep."""

import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch
from scipy.special import log_softmax, softmax

from raymed.config import Experiment, parse_experiment, read_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.ensemble.oof import read_oof
from raymed.files import read_json
from raymed.pipeline.build import build_events
from raymed.pipeline.demo import write_demo
from raymed.pipeline.events import Training
from raymed.pipeline.tally import Tally
from raymed.pipeline.tune import tune_events
from raymed.stories import result_of

Keep = Callable[[Any], None]
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


def agreement(folder: Path, device: str, quick: bool, keep: Keep) -> None:
    """Build the demo in every way, one after the other; give its node's figures, and how alike.

    How busy the card was is known where its driver's library (nvidia-ml-py) is there.
    """
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


@dataclass(frozen=True)
class Load:
    """What is packed: eight units of one recipe."""

    model: str
    size: int
    patients: int
    slices: int
    epochs: int
    batch: int
    precision: str = "fp32"


SMALL = Load("resnet18", 64, 80, 8, 20, 32)
LARGE = Load("resnet50", 224, 80, 8, 4, 32, "bf16")
OPEN = "auto"
"""raymed measures what a unit takes of the card, and says how many share it."""
SHARED: tuple[tuple[Load, str, Any], ...] = (
    (SMALL, "workers", 1),
    (SMALL, "workers", OPEN),
    (LARGE, "workers", 1),
    (LARGE, "workers", OPEN),
    (SMALL, "train", OPEN),
)
UNITS = 8
LEFT_BYTES = 3 * 2**30
"""What the card has left where memory is to run out."""


def packing(folder: Path, device: str, quick: bool, keep: Keep) -> None:
    """Build the same units one after the other, and as many at once as raymed says itself."""
    tiny = Load("resnet10t", 32, 16, 2, 1, 8)
    for load, engine, workers in SHARED[:2] if quick else SHARED:
        load = tiny if quick else load
        place = folder / load.model
        os.environ["RAYMED_CACHE"] = str(place / "cache")
        if not place.exists():
            phantoms = {"patients": load.patients, "slices": load.slices, "size": load.size}
            write_phantoms(place / "phantom", **phantoms)
        experiment = _experiment(place, load, engine, workers, device, 2 if quick else UNITS)
        row = {"model": f"{load.model}, {load.size} px, {load.precision}", "engine": engine}
        keep({**row, "workers": workers, **_timed(experiment, place, load)})


def memory(folder: Path, device: str, quick: bool, keep: Keep) -> None:
    """Build with all of the card, and with what another program leaves of it: is it the same?

    A ViT has no BatchNorm, which would see the parts: a batch in parts is the batch, but for sums.
    """
    load = Load("vit_tiny_patch16_224", 32 if quick else 224, 40, 8, 1 if quick else 3, 256)
    os.environ["RAYMED_CACHE"] = str(folder / "cache")
    write_phantoms(folder / "phantom", patients=40, slices=8, size=load.size)
    held, runs = None, list[Path]()
    for left in ("all", "3 GiB"):
        if left != "all" and device == "cuda":
            free, _ = torch.cuda.mem_get_info()
            held = torch.empty(free - LEFT_BYTES, dtype=torch.uint8, device="cuda")
        experiment = _experiment(folder, load, "workers", 1, device, 2)
        run = folder / f"left-{left[0]}"
        built = result_of(build_events(experiment, run))
        if built.failed:
            raise RuntimeError(str(built.failed))
        runs.append(run)
        facts = [read_json(each) for each in run.glob("members/*/fold-*/DONE.json")]
        tables = [read_oof(each / "oof.arrow") for each in runs]
        ends = [softmax(each.logits, axis=2) for each in tables]
        keep(
            {
                "left": left,
                "micro_batch": [each["micro_batch"] for each in facts],
                "peak_bytes": [each["peak_bytes"] for each in facts],
                "seconds": [round(each["seconds"], 1) for each in facts],
                "probability_apart_most": float(np.abs(ends[-1] - ends[0]).max()),
            }
        )
    del held


def _experiment(
    folder: Path, load: Load, engine: str, workers: int, device: str, folds: int, **more: Any
) -> Experiment:
    content: dict[str, Any] = {
        "name": "packing",
        "data": {
            "source": "phantom/manifest.csv",
            "patients": {"column": "patient"},
            "classes": list(STAGES),
            "folds": folds,
        },
        "recipes": {
            "cnn": {
                "model": load.model,
                "pretrained": "none",
                "size": load.size,
                "batch_size": load.batch,
                "precision": load.precision,
                "phases": [{"epochs": load.epochs, "lr": 1e-3}],
            }
        },
        "evaluate": {"draws": 100},
        "cluster": {"engine": engine, "workers": workers, "device": device},
        **more,
    }
    return parse_experiment(content, folder, "packing", [])


def _timed(experiment: Experiment, folder: Path, load: Load) -> dict[str, Any]:
    """Build; give the wall time from the first unit's begin to the last one's end."""
    cluster = experiment.cluster
    run = folder / f"{cluster.engine}-{cluster.workers}"
    called, ends = time.monotonic(), list[tuple[float, float]]()
    for event in build_events(experiment, run):
        if isinstance(event, Training) and event.seconds is not None:
            ends.append((time.monotonic(), event.seconds))
    ended = time.monotonic()
    begin = min(end - seconds for end, seconds in ends)
    wall, folds = max(end for end, _ in ends) - begin, len(ends)
    images = load.patients * load.slices * (folds - 1) * load.epochs
    facts = [read_json(each) for each in run.glob("members/*/fold-*/DONE.json")]
    return {
        "units": folds,
        "wall": round(wall, 2),
        "start_up": round(begin - called, 2),
        "whole_build": round(ended - called, 2),
        "unit_seconds": [round(seconds, 2) for _, seconds in ends],
        "images_per_second": round(images / wall, 1),
        "peak_bytes": max((each.get("peak_bytes") or 0) for each in facts) if facts else None,
    }


def sweep(folder: Path, device: str, quick: bool, keep: Keep) -> None:
    """Tune three trials; tell their states and the hours of the GPU that were counted."""
    load = Load("resnet10t", 32, 16, 2, 1, 8) if quick else Load("resnet18", 64, 40, 4, 6, 32)
    os.environ["RAYMED_CACHE"] = str(folder / "cache")
    write_phantoms(folder / "phantom", patients=load.patients, slices=load.slices, size=load.size)
    search = {"trials": 3, "pruner": "none"}
    workers = 1 if quick else 3
    experiment = _experiment(folder, load, "auto", workers, device, folds=2, search=search)
    begun, tallies = time.monotonic(), list[Tally]()
    story = tune_events(experiment, folder / "run")
    tuned = result_of(story, lambda said: isinstance(said, Tally) and tallies.append(said))
    done = (read_json(each) for each in folder.glob("run/members/*/fold-*/DONE.json"))
    keep(
        {
            "trials": [trial.state.name for trial in tuned.trials],
            "best": tuned.best.number,
            "gpu_hours": tallies[-1].gpu_hours,
            "gpus_a_trial": tallies[-1].gpus,
            "unit_seconds": round(sum(each["seconds"] for each in done), 2),
            "wall": round(time.monotonic() - begun, 2),
        }
    )
