"""What the page says about a row, a leak and a warning, in words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raymed.report.material import Material, Row
from raymed.report.wording import METRICS, duration, metric_title, number

KINDS = {"prior": "no image seen", "member": "member", "meta-learner": "meta-learner"}
NOTEWORTHY = 0.02  # a leak gap smaller than this is within what reshuffling gives


@dataclass(frozen=True)
class Warnings:
    """What readers must know before they read figures, and what they may look up."""

    first: tuple[str, ...]  # of the chosen stack
    others: tuple[str, ...]  # of all other rows


def describe_row(row: Row) -> str:
    """Say in a line what a row is: its kind, model, training time, temperature, thresholds."""
    facts = row.facts
    parts = ["probe" if facts.get("probe") else KINDS.get(row.kind, row.kind)]
    if facts.get("model"):
        parts.append(str(facts["model"]))
    if facts.get("training_seconds") is not None:
        parts.append(f"trained in {duration(facts['training_seconds'])}")
    for level, temperature in facts.get("temperatures", {}).items():
        parts.append(f"temperature {number(temperature, 2)} at {level} level")
    for level, threshold in facts.get("thresholds", {}).items():
        parts.append(f"threshold {number(threshold)} at {level} level")
    return ", ".join(parts)


def describe_leak(leak: Mapping[str, Any]) -> str:
    """Say what a quick classifier would have gained from patients shared between folds."""
    torn = leak.get("torn", "image_level")
    shuffled, grouped = leak[torn]["macro_f1"], leak["patient_grouped"]["macro_f1"]
    if torn == "configured":
        return (
            f"A quick classifier ({leak['classifier']}) scores a macro F1 of {number(shuffled)} "
            f"under the folds of this build, and {number(grouped)} under folds that keep each "
            f"hidden group whole. The gap of {number(shuffled - grouped)} is recognition of "
            "people, and the figures above may contain as much."
        )
    measured = (
        f"A quick classifier ({leak['classifier']}) scores a macro F1 of {number(shuffled)} when "
        f"images are shuffled into folds, and {number(grouped)} when each patient stays in one "
        "fold."
    )
    if shuffled - grouped > NOTEWORTHY:
        return (
            f"{measured} The gap of {number(shuffled - grouped)} is not knowledge of the disease "
            "but recognition of patients. The folds here are grouped by patient, so the figures "
            "above do not contain it."
        )
    return f"{measured} Recognising patients would have gained little or nothing on these data."


def collect_warnings(material: Material) -> Warnings:
    """Gather the warnings of the stack's scores, then those of all other rows."""
    first = dict.fromkeys(_of_row(material, material.chosen))
    others = dict.fromkeys(
        f"{row.name}: {warning}"
        for row in material.rows
        if row != material.chosen
        for warning in _of_row(material, row)
    )
    return Warnings(tuple(first), tuple(others))


def _of_row(material: Material, row: Row) -> list[str]:
    return [
        f"{view.title}: {warning}"
        for view in material.views
        if (scores := view.scores(row)) is not None
        for warning in joined_warnings(scores.warnings)
    ]


def joined_warnings(warnings: Sequence[str]) -> list[str]:
    """Say once what several figures lack for the same reason."""
    joined, lacking = [], dict[str, list[str]]()
    for warning in warnings:
        figure, found, cause = warning.partition(" rests on ")
        if found:
            lacking.setdefault(cause.removesuffix(": no interval is given"), []).append(figure)
        else:
            figure, found, rest = warning.partition(" ")
            joined.append(metric_title(figure) + found + rest if figure in METRICS else warning)
    for cause, figures in lacking.items():
        titles = ", ".join(metric_title(f) if f in METRICS else f for f in figures)
        joined.append(f"no interval where a figure rests on {cause}: {titles}")
    return joined
