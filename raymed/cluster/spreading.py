"""What the nodes of a Ray have room for, and the wait for room that will not come."""

import time
from collections.abc import Iterable
from dataclasses import dataclass

from raymed.errors import EngineError

_KIND = "accelerator_type:"
_LOOK_SECONDS = 5.0
_PATIENCE_SECONDS = 120.0
"""How long a lost node may take to come back, or an autoscaler to bring another."""
_BUSY_SECONDS = 1800.0
"""How long others may keep all nodes busy before the first unit begins."""


@dataclass(frozen=True)
class Node:
    """A node of a Ray, with all it has, whoever uses it now."""

    ip: str
    cpus: float
    gpus: float

    def holds(self, gpus: float) -> int:
        """Count the processes of one core, and of so many GPUs, that find room at once."""
        return min(int(self.cpus), int(self.gpus / gpus + 1e-6) if gpus else int(self.cpus))


def nodes_here() -> list[Node]:
    """List the living nodes of the Ray that this process is connected to."""
    import ray

    return [
        Node(
            node["NodeManagerAddress"],
            node["Resources"].get("CPU", 0),
            node["Resources"].get("GPU", 0),
        )
        for node in ray.nodes()
        if node["Alive"]
    ]


def cards_here() -> list[str]:
    """Name the kinds of GPU of the living nodes, as Ray knows them, each once."""
    import ray

    kinds = {name for node in ray.nodes() if node["Alive"] for name in node["Resources"]}
    return sorted(kind.removeprefix(_KIND) for kind in kinds if kind.startswith(_KIND))


class Patience:
    """Ends the wait for room in the running Ray, once it has lasted too long."""

    def __init__(self, gpus: float) -> None:
        """Take the GPUs that each process needs beside one core."""
        self._gpus, self._begun = gpus, False
        self._since = self._looked = self._enough = time.monotonic()

    def begun(self) -> None:
        """Take in that a unit found room: what we hold now will be free for the others."""
        self._begun = True

    def now_and_then(self, processes: Iterable[int]) -> None:
        """Look at the nodes every few seconds; `processes` are the sizes of the units that wait.

        Raises `EngineError` where the nodes have been too few for the largest one for two minutes,
        or all of them so busy for half an hour that none has begun.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked, needed, nodes = now, max(processes, default=0), nodes_here()
        if sum(node.holds(self._gpus) for node in nodes) >= needed:
            self._enough = now
        if now - self._enough > _PATIENCE_SECONDS:
            raise self._error(needed, nodes, _PATIENCE_SECONDS, "bring nodes back")
        if needed and not self._begun and now - self._since > _BUSY_SECONDS:
            raise self._error(needed, nodes, _BUSY_SECONDS, "others use them: wait for those")

    def _error(
        self, needed: int, nodes: Iterable[Node], seconds: float, remedy: str
    ) -> EngineError:
        each = "a core" + f" and {self._gpus:g} GPUs" * bool(self._gpus)
        return EngineError(
            f"waited {seconds:.0f} s for room for a unit (processes: {needed}, each with {each}) "
            f"on {told_nodes(nodes)}; {remedy}, and run the same command: what is complete stays"
        )


def told_nodes(nodes: Iterable[Node]) -> str:
    """Write nodes for a reader."""
    told = [f"{node.ip} ({node.cpus:g} CPUs, {node.gpus:g} GPUs)" for node in nodes]
    return ", ".join(told) or "no node"
