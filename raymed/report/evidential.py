"""How well evidential members' doubt finds errors, beside plainer doubts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raymed.evaluation import DoubtScores, Estimate

KINDS = {
    (False, "mass"): "uncertainty mass, 0 to 1",
    (False, "entropy"): "entropy after a temperature, nats",
    (True, "entropy"): "entropy, nats",
    (True, "disagreement"): "disagreement of members, nats",
}
"""By whether it is the stack's, and by kind."""


@dataclass(frozen=True)
class DoubtRow:
    """A row of the table: whose answers, how doubt is measured, and what it is worth."""

    whose: str
    measure: str
    scores: DoubtScores


def read_doubts(metrics: Mapping[str, Any]) -> list[DoubtRow]:
    """Read the rows of a run; empty where no member is evidential."""
    return [_row(dict(stored)) for stored in metrics.get("evidential", [])]


def _row(stored: dict[str, Any]) -> DoubtRow:
    whose, kind = stored.pop("whose"), stored.pop("kind")
    auroc = Estimate(**stored.pop("auroc"))
    measure = KINDS[whose is None, kind]
    return DoubtRow(whose or "the stack", measure, DoubtScores(auroc=auroc, **stored))
