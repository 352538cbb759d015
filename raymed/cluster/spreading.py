"""What the nodes of a Ray have room for, and the wait for room that will not come."""

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from raymed.errors import EngineError, InputError, some

_KIND = "accelerator_type:"
_LOOK_SECONDS = 5.0
PATIENCE_SECONDS = 120.0
"""How long a lost node may take to come back, or an autoscaler to bring another."""
_BUSY_SECONDS = 1800.0
"""How long others may keep all nodes busy before the first unit begins."""
_KIND = "accelerator_type:"
"""What Ray calls a node's kind of GPU, among its resources."""


@dataclass(frozen=True)
class Node:
    """A node of a Ray, with all it has, whoever uses it now; `kind` is that of its GPUs."""

    ip: str
    cpus: float
    gpus: float
    kind: str | None = None

    @classmethod
    def of(cls, ip: str, resources: Mapping[str, float]) -> "Node":
        """Read a node's resources as Ray tells them."""
        kinds = [name.removeprefix(_KIND) for name in resources if name.startswith(_KIND)]
        kind = kinds[0] if kinds else None
        return cls(ip, resources.get("CPU", 0), resources.get("GPU", 0), kind)

    def holds(self, gpus: float, core: float = 1) -> int:
        """Count the processes of one core, and of so many GPUs, that find room at once."""
        cores = int(self.cpus / core)
        return min(cores, int(self.gpus / gpus + 1e-6)) if gpus else cores


def living() -> list[Mapping[str, Any]]:
    """List what Ray tells of the living nodes of the Ray that this process is connected to."""
    import ray

    return [node for node in ray.nodes() if node["Alive"]]


def node_of(told: Mapping[str, Any]) -> Node:
    """Read what Ray tells of a node."""
    return Node.of(told["NodeManagerAddress"], told["Resources"])


def nodes_here(kind: str | None = None) -> list[Node]:
    """List the living nodes of that Ray; with a kind of GPU only those that have it."""
    nodes = map(node_of, living())
    return [node for node in nodes if kind is None or node.kind == kind]


def gpu_kind_here() -> str | None:
    """Tell the kind of this machine's GPUs, as Ray names it."""
    from ray._private.accelerators import get_accelerator_manager_for_resource

    kind: str | None = get_accelerator_manager_for_resource(
        "GPU"
    ).get_current_node_accelerator_type()
    return kind


def of_kind(kind: str | None, nodes: Iterable[Node]) -> list[Node]:
    """Keep the nodes that have a kind of GPU; None keeps all, a kind that none has is refused."""
    nodes = list(nodes)
    kept = [node for node in nodes if kind is None or node.kind == kind]
    if not kept:
        there = sorted({node.kind for node in nodes if node.kind is not None})
        remedy = f"name one of {some(there)}, or leave it out" if there else "leave it out"
        fault = f"no node has a GPU of kind {kind}: {told_nodes(nodes)}"
        raise InputError("cluster.gpu_kind", fault, f"add such a node, or {remedy}")
    return kept


def process_resources(gpus: float, kind: str | None) -> dict[str, float]:
    """Give what a process of a unit takes, in Ray's words: of a kind of GPU a trace."""
    shared = {"CPU": 1.0} | ({"GPU": gpus} if gpus else {})
    return shared if kind is None else {**shared, f"{_KIND}{kind}": 0.001}


def cards_here() -> list[str]:
    """Name the kinds of GPU of the living nodes, as Ray knows them, each once."""
    import ray

    kinds = {name for node in ray.nodes() if node["Alive"] for name in node["Resources"]}
    return sorted(kind.removeprefix(_KIND) for kind in kinds if kind.startswith(_KIND))


class Patience:
    """Ends the wait for room in the running Ray, once it has lasted too long."""

    def __init__(
        self, gpus: float, kind: str | None = None, seconds: float = PATIENCE_SECONDS
    ) -> None:
        """Take the GPUs that each process needs beside one core, their kind, the time to wait."""
        self._gpus, self._kind, self._begun = gpus, kind, False
        self._seconds = seconds
        self._since = self._looked = self._enough = time.monotonic()

    def begun(self) -> None:
        """Take in that a unit found room: what we hold now will be free for the others."""
        self._begun = True

    def now_and_then(self, processes: Iterable[int]) -> None:
        """Look at the nodes every few seconds; `processes` are the sizes of the units that wait.

        Raises `EngineError` where the nodes have been too few for the largest one for so long,
        or all of them so busy for half an hour that none has begun.
        """
        now = time.monotonic()
        if now - self._looked < _LOOK_SECONDS:
            return
        self._looked, needed, nodes = now, max(processes, default=0), nodes_here(self._kind)
        if sum(node.holds(self._gpus) for node in nodes) >= needed:
            self._enough = now
        if now - self._enough > self._seconds:
            raise self._error(needed, nodes, self._seconds, "bring nodes back")
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
    told = [f"{node.ip} ({node.cpus:g} CPUs, {_told_gpus(node)})" for node in nodes]
    return ", ".join(told) or "no node"


def _told_gpus(node: Node) -> str:
    return f"{node.gpus:g} GPUs" + (f" {node.kind}" if node.kind else "")
