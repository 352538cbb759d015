"""The cluster: the only folder that imports Ray, and only when something is to run."""

from pathlib import Path
from typing import Any, Literal

from raymed.cluster.schedule import Engine, run_units
from raymed.cluster.units import Failed, Finished, Reported

__all__ = [
    "Engine",
    "Failed",
    "Finished",
    "Reported",
    "run_units",
    "start_engine",
]


def start_engine(
    name: Literal["workers", "train"], count: int, gpus: float, scratch: Path
) -> Engine[Any]:
    """Start an engine in the running Ray: `count` processes at once, `gpus` each."""
    if name == "workers":
        from raymed.cluster.workers import Workers

        return Workers(count, gpus)
    from raymed.cluster.train import TrainRuns

    return TrainRuns(count, scratch, gpus)
