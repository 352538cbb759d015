"""The cluster: the only folder that imports Ray, and only when something is to run."""

from collections.abc import Iterator
from typing import Any, Literal

from raymed.cluster.schedule import Engine, run_units
from raymed.cluster.scratch import Scratch
from raymed.cluster.spreading import PATIENCE_SECONDS, cards_here
from raymed.cluster.trials import Decider, TrialUnits
from raymed.cluster.units import Failed, Finished, Reported, Said

__all__ = [
    "Decider",
    "Engine",
    "Failed",
    "Finished",
    "Reported",
    "TrialUnits",
    "cards_here",
    "run_units",
    "start_engine",
    "sweep",
]


def start_engine(
    name: Literal["workers", "train"],
    count: int,
    gpus: float,
    scratch: Scratch,
    kind: str | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Engine[Any]:
    """Start an engine in the running Ray: `count` processes at once, `gpus`, of a kind, each.

    Nodes that lack may take `patience` seconds to come.
    """
    if name == "workers":
        from raymed.cluster.workers import Workers

        return Workers(count, gpus, kind, patience)
    from raymed.cluster.train import TrainRuns

    return TrainRuns(count, scratch, gpus, kind, patience)


def sweep(
    decider: Decider[Any],
    workers: int,
    gpus: float,
    processes: int,
    scratch: Scratch,
    *,
    by_epoch: bool = False,
    kind: str | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Said[Any] | None]:
    """Run trials with Ray Tune in the running Ray, as `raymed.cluster.sweeping` says."""
    from raymed.cluster.sweeping import sweep as run

    wishes: dict[str, Any] = {"by_epoch": by_epoch, "kind": kind, "patience": patience}
    yield from run(decider, workers, gpus, processes, scratch, **wishes)
