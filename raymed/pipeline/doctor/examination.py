"""What the doctor is asked, and what it found."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from raymed.cluster.findings import Finding
from raymed.cluster.node_facts import NodeFacts
from raymed.config import Experiment
from raymed.runs import RunFolder


@dataclass(frozen=True)
class Visit:
    """What is looked at: an address, None for this machine; an experiment; a run folder."""

    address: str | None
    experiment: Experiment | None = None
    run: RunFolder | None = None


@dataclass(frozen=True)
class Examination:
    """What nodes told, and what it means."""

    where: str
    nodes: tuple[NodeFacts, ...]
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> int:
        """How many findings stop a build."""
        return sum(each.severity == "error" for each in self.findings)

    def facts(self) -> dict[str, Any]:
        """For a program."""
        return {
            "schema": 1,
            "where": self.where,
            "errors": self.errors,
            "nodes": [asdict(node) for node in self.nodes],
            "findings": [asdict(each) for each in self.findings],
        }

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> "Examination":
        """Read such facts."""
        return cls(
            facts["where"],
            tuple(map(NodeFacts.of, facts["nodes"])),
            tuple(Finding(**each) for each in facts["findings"]),
        )
