"""The scores of one table of predictions, as they lie in metrics.json."""

from dataclasses import asdict, dataclass
from typing import Any

from raymed.evaluation.estimates import Estimate


@dataclass(frozen=True)
class ClassScores:
    """The figures of one class against all others."""

    recall: Estimate
    specificity: Estimate
    auroc: Estimate
    rows: int
    patients: int

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "ClassScores":
        """Read what `Scores.as_dict` wrote of one class."""
        return cls(
            recall=Estimate(**stored["recall"]),
            specificity=Estimate(**stored["specificity"]),
            auroc=Estimate(**stored["auroc"]),
            rows=stored["rows"],
            patients=stored["patients"],
        )


@dataclass(frozen=True)
class ReliabilityBin:
    """A bar of the reliability diagram: the rows whose top-class confidence falls in one bin."""

    confidence: float  # mean of the rows
    accuracy: float
    rows: int


@dataclass(frozen=True)
class Scores:
    """All figures at one level, with their intervals and warnings."""

    level: str  # "image" or "patient"
    rows: int
    patients: int
    metrics: dict[str, Estimate]
    per_class: dict[str, ClassScores]
    confusion: list[list[int]]  # [true][predicted], counts of rows
    reliability: list[ReliabilityBin]  # by rising confidence, empty bins left out
    warnings: list[str]

    def as_dict(self) -> dict[str, Any]:
        """Nested dicts and lists that `json.dumps` takes; what is undefined is None, never NaN."""
        return asdict(self)

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "Scores":
        """Read what `as_dict` wrote."""
        return cls(
            level=stored["level"],
            rows=stored["rows"],
            patients=stored["patients"],
            metrics={name: Estimate(**each) for name, each in stored["metrics"].items()},
            per_class={
                name: ClassScores.from_dict(each) for name, each in stored["per_class"].items()
            },
            confusion=[list(row) for row in stored["confusion"]],
            reliability=[ReliabilityBin(**each) for each in stored["reliability"]],
            warnings=list(stored["warnings"]),
        )
