"""What orchestration costs: a build's wall time over its folds' own training time per core.

    uv run python benchmarks/orchestration.py            # about 30 minutes on 2 idle cores
    uv run python benchmarks/orchestration.py --seconds 5

Builds the same tiny experiment on phantoms with both engines, with as many epochs as make a fold
take about 5, 30 and 120 seconds, two folds for each core. The ratio is
(last fold's end - first fold's begin) / (sum of the folds' own seconds / cores): 1 would be free.
Start-up, from the call to the begin of the first fold, stands apart. Writes `orchestration.md`
beside itself.
"""

import argparse
import os
import platform
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import raymed
from raymed.config import parse_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.pipeline.build import build_events
from raymed.pipeline.events import Training

CORES = len(os.sched_getaffinity(0))
TABLE = Path(__file__).with_suffix(".md")


@dataclass(frozen=True)
class Measured:
    """One build: seconds, and how many folds it trained."""

    startup: float
    wall: float
    training: float
    folds: int

    @property
    def ratio(self) -> float:
        """Wall time over the folds' own time per core."""
        return self.wall / (self.training / CORES)


def measure(folder: Path, engine: str, epochs: int) -> Measured:
    """Build once with `epochs` a fold, in a new run folder."""
    content: dict[str, Any] = {
        "name": "orchestration",
        "data": {
            "source": "phantom/manifest.csv",
            "patients": {"column": "patient"},
            "classes": list(STAGES),
            "folds": 2 * CORES,
        },
        "recipes": {
            "cnn": {
                "model": "resnet18",
                "pretrained": "none",
                "size": 32,
                "phases": [{"epochs": epochs, "lr": 1e-3}],
            }
        },
        "evaluate": {"draws": 100},
        "cluster": {"engine": engine, "workers": CORES, "device": "cpu"},
    }
    experiment = parse_experiment(content, folder, "orchestration", [])
    run = folder / f"{engine}-{epochs}"
    called = time.monotonic()
    folds = []
    for event in build_events(experiment, run):
        if isinstance(event, Training) and event.seconds is not None:
            folds.append((time.monotonic(), event.seconds))
    begin = min(end - seconds for end, seconds in folds)
    wall = max(end for end, _ in folds) - begin
    return Measured(begin - called, wall, sum(seconds for _, seconds in folds), len(folds))


def table(rows: list[tuple[str, int, Measured]]) -> str:
    """Write the results as Markdown."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, {CORES} cores, "
        f"{platform.machine()}, no GPU; {2 * CORES} folds of resnet18 at 32 px.",
        "",
        "| engine | fold, asked | fold, measured | wall / (training / cores) | start-up |",
        "|---|---|---|---|---|",
    ]
    for engine, seconds, found in rows:
        lines.append(
            f"| {engine} | {seconds} s | {found.training / found.folds:.1f} s "
            f"| {found.ratio:.2f} | {found.startup:.0f} s |"
        )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure both engines at every length, alternating."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, nargs="+", default=[5, 30, 120])
    lengths = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["RAYMED_CACHE"] = str(folder / "cache")
        write_phantoms(folder / "phantom", patients=80, slices=8, size=32)
        probe = measure(folder, "workers", 6)
        an_epoch = probe.training / probe.folds / 6
        rows = []
        for seconds in lengths:
            for engine in ("workers", "train"):
                found = measure(folder, engine, max(1, round(seconds / an_epoch)))
                rows.append((engine, seconds, found))
                print(table(rows).splitlines()[-1], flush=True)
                TABLE.write_text(table(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
