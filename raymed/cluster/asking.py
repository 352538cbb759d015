"""Ask every node of the Ray that this process is connected to, each with one probe."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from raymed.cluster import machine_probe, probe
from raymed.cluster.node_facts import Machine, NodeFacts, clock_ahead
from raymed.cluster.scratch import Scratch
from raymed.cluster.spreading import Node, living, node_of
from raymed.data.intake.objects.location import Location


@dataclass(frozen=True)
class Question:
    """What is asked: `place` is where all must read what each writes, None asks for none.

    `packages` are named, `needed` maps keys of the configuration to paths that all must read, and
    `folders` names for a reader to paths whose disks are told; where that is None nothing is asked
    about the machine.
    """

    packages: Sequence[str]
    place: Scratch | None = None
    needed: Mapping[str, Path | Location] | None = None
    folders: Mapping[str, Path] | None = None

    def to(self, name: str) -> dict[str, Any]:
        """Put it to one node, as it travels."""
        folders = self.folders
        return {
            "packages": list(self.packages),
            "place": shared_place(self.place),
            "name": name,
            "needed": {key: place_of(each) for key, each in (self.needed or {}).items()},
            "folders": None if folders is None else {k: str(path) for k, path in folders.items()},
        }


def shared_place(scratch: Scratch | None) -> probe.Place | None:
    """Name the place as nodes take it."""
    if scratch is None:
        return None
    return place_of(scratch if isinstance(scratch, Path) else scratch.location)


def place_of(place: Path | Location) -> probe.Place:
    """Name a path, or a place in an object store, as nodes take it."""
    return (str(place), None) if isinstance(place, Path) else (place.plain_path, place.uri)


def ask_nodes(question: Question, seconds: float) -> list[NodeFacts]:
    """Ask all living nodes within `seconds`; one that is silent is told as such."""
    import ray

    for module in (probe, machine_probe):
        ray.cloudpickle.register_pickle_by_value(module)
    nodes = living()
    deadline = time.monotonic() + seconds
    ids = [node["NodeID"] for node in nodes]
    first = _ask(probe.look, {id_: (question.to(id_),) for id_ in ids}, deadline)
    answered = [node for node in nodes if isinstance(first[node["NodeID"]].said, dict)]
    place = shared_place(question.place)
    written = [node["NodeID"] for node in answered if _said(first, node)["unwritable"] is None]
    arguments = {
        node["NodeID"]: (place, written, [] if question.folders is None else _peers(node, answered))
        for node in answered
    }
    again = _ask(probe.look_again, arguments, deadline)
    addresses = {node["NodeID"]: node["NodeManagerAddress"] for node in nodes}
    return [
        _facts(node_of(node), first[id_], again.get(id_), addresses)
        for id_, node in zip(ids, nodes, strict=True)
    ]


def ask_here(question: Question, node: Node) -> NodeFacts:
    """Ask this machine without a Ray, as where none starts."""
    told = probe.look(question.to("here"))
    place = shared_place(question.place)
    wrote = ["here"] if told["unwritable"] is None else []
    again = probe.look_again(place, wrote, [])
    now = time.time()
    return _facts(node, _Answer(told, now, now), _Answer(again, now, time.time()), {})


@dataclass(frozen=True)
class _Answer:
    """What a node said, or a text why it did not, and when it was asked and heard, by our clock."""

    said: dict[str, Any] | str
    sent: float
    received: float


def _said(answers: Mapping[str, _Answer], node: Mapping[str, Any]) -> dict[str, Any]:
    said = answers[node["NodeID"]].said
    assert isinstance(said, dict)
    return said


def _facts(
    node: Node, first: _Answer, again: _Answer | None, addresses: Mapping[str, str]
) -> NodeFacts:
    silence = next((a.said for a in (first, again) if a and isinstance(a.said, str)), None)
    if silence is not None or again is None:
        return NodeFacts(node, silence=silence)
    assert isinstance(first.said, dict)
    assert isinstance(again.said, dict)
    told, there = first.said, again.said
    facts = NodeFacts(
        node,
        versions=told["versions"],
        cuda=told["cuda"],
        unwritable=told["unwritable"],
        unreadable=told["unreadable"],
        unread=tuple(addresses.get(id_, id_) for id_ in there["unread"]),
        unreached=tuple(there["unreached"]),
        ahead=clock_ahead(again.sent, there["clock"], again.received),
    )
    return replace(facts, machine=Machine.of(told["machine"])) if "machine" in told else facts


def _peers(node: Mapping[str, Any], others: Sequence[Mapping[str, Any]]) -> list[Any]:
    """List the ports of the other nodes that this one must reach."""
    return [
        (other["NodeManagerAddress"], other[key], what)
        for other in others
        for key, what in (("NodeManagerPort", "node manager"), ("ObjectManagerPort", "objects"))
        if other["NodeID"] != node["NodeID"] and other.get(key)
    ]


def _ask(
    function: Any, arguments: Mapping[str, tuple[Any, ...]], deadline: float
) -> dict[str, _Answer]:
    """Call a function on every node, and take what comes until the deadline."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    sent, answers = time.time(), {}
    began = time.monotonic()
    waiting = {}
    for id_, given in arguments.items():
        there = NodeAffinitySchedulingStrategy(id_, soft=False)
        remote = ray.remote(function).options(num_cpus=0, max_retries=0, scheduling_strategy=there)
        waiting[remote.remote(*given)] = id_
    while waiting and (left := deadline - time.monotonic()) > 0:
        for task in ray.wait(list(waiting), timeout=left)[0]:
            received = time.time()
            answers[waiting.pop(task)] = _Answer(_result(task), sent, received)
    late = f"did not answer in {time.monotonic() - began:.0f} s"
    return answers | {id_: _Answer(late, sent, sent) for id_ in waiting.values()}


def _result(task: Any) -> dict[str, Any] | str:
    import ray
    from ray.exceptions import RayError

    try:
        said: dict[str, Any] = ray.get(task)
    except RayError as error:
        why = str(error).strip().splitlines()[-1]
        return f"cannot run a task ({type(error).__name__}: {why})"
    return said
