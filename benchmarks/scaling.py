"""How a build scales from one node to two: the wall time of the same folds, start-up apart.

    uv run python benchmarks/scaling.py              # about 40 minutes on 2 idle cores
    uv run python benchmarks/scaling.py --quick      # that it runs, no more: writes no table

Starts a Ray of nodes with one core each and a head that only drives, on this machine, and builds
four folds of some minutes on one node, then on two. Scaling is wall time on one node over twice the
wall time on two, from the first fold's begin to the last one's end; linear is 1, the bar is 0.85.
It means something only where nothing else works on the machine. Writes `scaling.md` beside itself.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ["RAY_AUTH_MODE"] = "disabled"  # before Ray is imported: its test cluster knows no token
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"

import raymed
from raymed.config import parse_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.pipeline.build import build_events
from raymed.pipeline.events import Training

TABLE = Path(__file__).with_suffix(".md")
BAR, FOLDS = 0.85, 4
PROBE_EPOCHS = 6
_STORE_BYTES = 80 * 1024**2


@dataclass(frozen=True)
class Measured:
    """One build: nodes, and seconds until the first fold began, of all folds, and of each."""

    nodes: int
    startup: float
    wall: float
    folds: tuple[float, ...]


@contextmanager
def nodes_of_one_core(count: int) -> Iterator[str]:
    """Start that many nodes and a head without a core; gives their address."""
    from ray.cluster_utils import Cluster

    head = {"num_cpus": 0, "object_store_memory": _STORE_BYTES, "include_dashboard": False}
    cluster = Cluster(initialize_head=True, head_node_args=head)
    try:
        for _ in range(count):
            cluster.add_node(num_cpus=1, object_store_memory=_STORE_BYTES)
        yield cluster.address
    finally:
        cluster.shutdown()


def measure(folder: Path, nodes: int, epochs: int) -> Measured:
    """Build once on a fresh cluster, in a new run folder."""
    content: dict[str, Any] = {
        "name": "scaling",
        "data": {
            "source": "phantom/manifest.csv",
            "patients": {"column": "patient"},
            "classes": list(STAGES),
            "folds": FOLDS,
        },
        "recipes": {
            "cnn": {
                "model": "resnet18",
                "pretrained": "none",
                "size": 32,
                "phases": [{"epochs": epochs, "lr": 1e-3}],
            }
        },
        "evaluate": {"draws": 100, "gallery": 0},
        "cluster": {"device": "cpu", "cache": str(folder / "cache")},
    }
    with nodes_of_one_core(nodes) as address:
        joined = [f"cluster.address={address}"]
        experiment = parse_experiment(content, folder, "scaling", joined)
        called, folds = time.monotonic(), []
        for event in build_events(experiment, folder / f"nodes-{nodes}-epochs-{epochs}"):
            if isinstance(event, Training) and event.seconds is not None:
                folds.append((time.monotonic(), event.seconds))
    begin = min(end - seconds for end, seconds in folds)
    wall = max(end for end, _ in folds) - begin
    return Measured(nodes, begin - called, wall, tuple(seconds for _, seconds in folds))


def scaling(one: Measured, two: Measured) -> float:
    """Give the share of linear scaling that two nodes reach."""
    return one.wall / (two.nodes * two.wall)


def table(one: Measured, two: Measured) -> str:
    """Write the results as Markdown."""
    found = scaling(one, two)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, "
        f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, no GPU; {FOLDS} folds of "
        f"resnet18 at 32 px. Scaling {found:.2f} of linear, the bar is {BAR}.",
        "",
        "| nodes | start-up | folds, mean | wall time of all folds |",
        "|---|---|---|---|",
    ]
    for each in (one, two):
        mean = sum(each.folds) / len(each.folds)
        lines.append(f"| {each.nodes} | {each.startup:.0f} s | {mean:.0f} s | {each.wall:.0f} s |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure one node, then two, with as many epochs as make a fold of some minutes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="how long a fold should take")
    parser.add_argument("--quick", action="store_true")
    wish = parser.parse_args()
    os.environ["BROWSER_PATH"] = "none"  # builds export no figures here
    with tempfile.TemporaryDirectory() as name:
        folder, epochs = Path(name), PROBE_EPOCHS
        write_phantoms(folder / "phantom", patients=80, slices=8, size=32)
        if not wish.quick:
            probe = measure(folder, 1, PROBE_EPOCHS)
            an_epoch = sum(probe.folds) / len(probe.folds) / PROBE_EPOCHS
            epochs = max(PROBE_EPOCHS + 1, round(wish.seconds / an_epoch))
        one, two = (measure(folder, nodes, epochs) for nodes in (1, 2))
    print(table(one, two))
    if not wish.quick:
        TABLE.write_text(table(one, two), encoding="utf-8")


if __name__ == "__main__":
    main()
