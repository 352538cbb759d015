"""What the nodes of a build did: how fast their units went, and how busy their cards were."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from raymed.pipeline.members import Member
from raymed.training import Progress


@dataclass
class Heard:
    """What a unit has said of its node so far; `busy` is each report's."""

    node: str | None = None
    speed: float | None = None
    busy: list[float] = field(default_factory=list)

    def take(self, said: Progress) -> None:
        """Take in a report; one from another node, where it went on, begins anew."""
        if said.node != self.node:
            self.node, self.speed, self.busy = said.node, None, []
        if said.images_per_second is not None:
            self.speed = said.images_per_second
        if said.gpu_busy is not None:
            self.busy.append(said.gpu_busy)

    def facts(self) -> dict[str, Any]:
        """Give what is written down of it; None for what nobody said."""
        busy = sum(self.busy) / len(self.busy) if self.busy else None
        return {
            "node": self.node,
            "images_per_second": None if self.speed is None else round(self.speed, 1),
            "gpu_busy": None if busy is None else round(busy, 3),
        }


def node_rows(facts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Add up the facts of complete folds by node, in the order of their addresses.

    Means weigh a fold by its seconds, and leave out folds that did not say. Each fold's images a
    second are its own: where several ran side by side the node did more.
    """
    there: dict[str, list[Mapping[str, Any]]] = {}
    for each in facts:
        if each.get("node") is not None:
            there.setdefault(str(each["node"]), []).append(each)
    return [
        {
            "node": node,
            "folds": len(own),
            "seconds": round(sum(each["seconds"] for each in own), 1),
            "images_per_second": _mean(own, "images_per_second"),
            "gpu_busy": _mean(own, "gpu_busy"),
        }
        for node, own in sorted(there.items())
    ]


def facts_of(members: Sequence[Member], folds: int) -> list[dict[str, Any]]:
    """Read the facts of every fold of complete members."""
    return [member.folder.fold_facts(fold) for member in members for fold in range(folds)]


def _mean(facts: Sequence[Mapping[str, Any]], name: str) -> float | None:
    known = [(each[name], each["seconds"]) for each in facts if each.get(name) is not None]
    seconds = sum(weight for _, weight in known)
    return round(sum(value * weight for value, weight in known) / seconds, 3) if seconds else None
