"""For benchmarks/gpu.py: units packed on a card, a card with little memory left, and a sweep."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.special import softmax

from raymed.config import Experiment, parse_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.ensemble.oof import read_oof
from raymed.files import read_json
from raymed.pipeline.build import build_events
from raymed.pipeline.events import Training
from raymed.pipeline.tally import Tally
from raymed.pipeline.tune import tune_events
from raymed.stories import result_of

Keep = Callable[[Any], None]


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
