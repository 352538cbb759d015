"""Findings: what facts about nodes mean for a build. Pure functions, a finding or none a fact."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from raymed.cluster.node_facts import NodeFacts
from raymed.data.intake.objects.location import Location
from raymed.errors import InputError, some

Severity = Literal["error", "warning", "fine"]

SHARED = "every node must reach it at the same path, on a shared file system"


@dataclass(frozen=True)
class Finding:
    """What was found at a place, and what helps; an error stops a build, a warning does not."""

    severity: Severity
    place: str
    fault: str
    remedy: str = ""

    @classmethod
    def of(cls, error: InputError) -> "Finding":
        """Take an error for a finding."""
        return cls("error", error.place, error.fault, error.remedy)

    @property
    def error(self) -> InputError:
        """The finding as what ends a build."""
        return InputError(self.place, self.fault, self.remedy)

    def facts(self) -> dict[str, Any]:
        """For a program."""
        return asdict(self)


def place_of(node: NodeFacts) -> str:
    """Name a node for a reader."""
    return f"node {node.node.ip}"


def judge_served(
    nodes: Sequence[NodeFacts],
    versions: Mapping[str, str],
    shared: str | None,
    needed: Mapping[str, Path | Location],
) -> Iterator[Finding]:
    """Give the errors that keep nodes from working for a build, in the order of nodes.

    First what a node lacks by itself, then whether nodes read what others wrote.
    """
    for node in nodes:
        yield from judge_silence(node)
        yield from judge_versions(node, versions)
        if shared is not None:
            yield from judge_unwritable(node, shared)
        yield from judge_unreadable(node, needed)
    if shared is not None:
        for node in nodes:
            yield from judge_unread(node, shared)


def judge_silence(node: NodeFacts) -> Iterator[Finding]:
    """Say that a node told nothing."""
    if node.silence is not None:
        yield Finding("error", place_of(node), node.silence, "see `ray status`")


def judge_versions(node: NodeFacts, versions: Mapping[str, str]) -> Iterator[Finding]:
    """Hold a node's packages against the driver's."""
    if node.silence is not None:
        return
    for name, version in versions.items():
        there = node.versions.get(name)
        if there != version:
            has = f"has no {name}" if there is None else f"has {name} {there}"
            fault = f"{has}, this process has {version}"
            yield Finding("error", place_of(node), fault, "give all nodes one environment")


def judge_unwritable(node: NodeFacts, shared: str) -> Iterator[Finding]:
    """Say that a node could not write into the shared place."""
    if node.unwritable is not None:
        fault = f"cannot write into {shared} ({node.unwritable})"
        yield Finding("error", place_of(node), fault, f"choose another folder with --run: {SHARED}")


def judge_unreadable(node: NodeFacts, needed: Mapping[str, Path | Location]) -> Iterator[Finding]:
    """Say that a node does not read what the configuration names."""
    for key, why in node.unreadable.items():
        fault = f"does not read {key}, {needed[key]} ({why})"
        yield Finding("error", place_of(node), fault, SHARED)


def judge_unread(node: NodeFacts, shared: str) -> Iterator[Finding]:
    """Say that a node does not read what others wrote."""
    if node.unread:
        fault = f"does not read what node {some(node.unread)} wrote into {shared}"
        yield Finding("error", place_of(node), fault, SHARED)


def tell_served(
    nodes: Sequence[NodeFacts],
    versions: Mapping[str, str],
    shared: str | None,
    needed: Mapping[str, Path | Location],
) -> Iterator[Finding]:
    """Give what is well of that, as far as all nodes agree."""
    heard = [node for node in nodes if node.silence is None]
    if not heard:
        return
    if not _any(judge_versions(node, versions) for node in heard):
        told = ", ".join(f"{name} {version}" for name, version in sorted(versions.items()))
        yield Finding("fine", "versions", f"the same everywhere: {told}")
    wrote = [judge_unwritable(node, shared) for node in heard] if shared else []
    reads = [judge_unread(node, shared) for node in heard] if shared else []
    if shared is not None and not _any([*wrote, *reads]):
        fault = "was written from every node, and every node reads what the others wrote"
        yield Finding("fine", shared, fault)
    for key, path in needed.items():
        if not any(key in node.unreadable for node in heard):
            yield Finding("fine", key, f"{path} is readable from every node")


def _any(findings: Iterable[Iterator[Finding]]) -> bool:
    return any(True for each in findings for _ in each)
