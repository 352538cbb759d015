"""What the cache of frozen features saves: a probe's five folds with it and without it.

    uv run python benchmarks/features.py         # about ten minutes on one core

Five folds of a head that is trained for 5 epochs on a frozen backbone, over phantom slices at
96 px, in one process with one thread. Without the cache every epoch of every fold runs the
backbone; with it the features are computed first, which is counted. Both ways alternate, each
round from an empty cache; medians. Reading, decoding and stacking, the same for both, are not
counted. Writes `features.md`.
"""

import argparse
import os
import statistics
import tempfile
import time
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import torch

import raymed
from raymed.config import Experiment, parse_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.data.predictions import logits_of
from raymed.pipeline.members import plan_members
from raymed.pipeline.prepare import Prepared, prepare
from raymed.pipeline.units import FoldUnit, feature_units, fold_units
from raymed.runs import RunFolder
from raymed.stories import result_of

TABLE = Path(__file__).with_suffix(".md")
MODELS = ("resnet18", "mobilenetv2_100", "convnext_atto")
PATIENTS, SLICES, SIDE = 100, 6, 96


def experiment_of(folder: Path, model: str) -> Experiment:
    """Describe five folds of one probe."""
    content: dict[str, Any] = {
        "name": "features",
        "data": {
            "source": "phantom/manifest.csv",
            "patients": {"column": "patient"},
            "classes": list(STAGES),
            "folds": 5,
        },
        "recipes": {
            "probe": {
                "model": model,
                "pretrained": "none",
                "size": SIDE,
                "phases": [{"train": "head", "epochs": 5, "lr": 1e-3}],
            }
        },
        "cluster": {"device": "cpu"},
    }
    return parse_experiment(content, folder, "benchmarks/features.py", [])


def train(experiment: Experiment, run: RunFolder, prepared: Prepared, cached: bool) -> Any:
    """Train all folds, the features before them if `cached`; return seconds and logits."""
    members = plan_members(experiment, run, prepared)
    folds: list[FoldUnit] = fold_units(experiment, run, members, prepared, "cpu")
    begun = time.perf_counter()
    if cached:
        for unit in feature_units(experiment, run, members, prepared, "cpu"):
            result_of(unit.work())
    else:
        folds = [replace(unit, features=None) for unit in folds]
    attempts = [result_of(unit.work()).attempt for unit in folds]
    seconds = time.perf_counter() - begun
    return seconds, [logits(attempt) for attempt in attempts]


def logits(attempt: Path) -> Any:
    """Read the predictions of an attempt."""
    return logits_of(pq.read_table(attempt / "predictions.parquet"))


def measure(folder: Path, model: str, rounds: int) -> str:
    """Alternate both ways; give a row of the table."""
    seconds: dict[bool, list[float]] = {True: [], False: []}
    found: dict[bool, Any] = {}
    experiment = experiment_of(folder, model)
    for round_ in range(rounds):
        for cached in (True, False) if round_ % 2 else (False, True):
            os.environ["RAYMED_CACHE"] = str(folder / f"cache-{model}-{round_}-{cached}")
            run = RunFolder.at(folder / f"{model}-{round_}-{cached}")
            prepared = result_of(prepare(experiment, run))
            took, found[cached] = train(experiment, run, prepared, cached)
            seconds[cached].append(took)
    apart = max(np.abs(a - b).max() for a, b in zip(found[True], found[False], strict=True))
    without, with_cache = statistics.median(seconds[False]), statistics.median(seconds[True])
    return (
        f"| {model} | {without:.1f} s | {with_cache:.1f} s | {without / with_cache:.1f} "
        f"| {apart:.1e} |"
    )


def main() -> None:
    """Measure every model and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, torch "
        f"{torch.__version__.split('+')[0]}, one thread, no GPU; {PATIENTS * SLICES} images, "
        f"{SIDE} px, 5 folds of 5 epochs, median of {rounds} alternating rounds.",
        "",
        "| frozen backbone | without the cache | with it | ratio | logits differ by at most |",
        "|---|---|---|---|---|",
    ]
    with tempfile.TemporaryDirectory() as name:
        write_phantoms(Path(name) / "phantom", patients=PATIENTS, slices=SLICES, size=SIDE)
        for model in MODELS:
            lines.append(measure(Path(name), model, rounds))
            print(lines[-1], flush=True)
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
