"""Subgroups, where a run scored them: read, drawn, and put into words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from raymed.evaluation import Contrast, GroupScores
from raymed.report.figures import BLUE, GREY, PageFigure, page_figure
from raymed.report.material import Material
from raymed.report.sites import NOT_SHOWN, SIGNIFICANT, TOO_FEW, read_headline
from raymed.report.whiskers import name_lines, whiskers
from raymed.report.wording import METRICS, metric_title, with_interval

SPLITS = {"oof": "out of fold", "test": "test split"}


@dataclass(frozen=True)
class Column:
    """The groups of one column in one split; `level` says what a row is."""

    name: str
    level: str
    split: str
    groups: tuple[GroupScores, ...]

    @property
    def title(self) -> str:
        """Name column and split, as headings do."""
        return f"{self.name}, {SPLITS[self.split]}"

    @property
    def cautions(self) -> list[str]:
        """Every warning, with its group."""
        return [f"{each.group}: {said}" for each in self.groups for said in each.scores.warnings]


def read_subgroups(metrics: Mapping[str, Any]) -> list[Column]:
    """Read every column, out of fold first; empty for runs without any."""
    return [
        Column(stored["column"], stored["level"], split, tuple(map(_group, stored[split])))
        for stored in metrics.get("subgroups", [])
        for split in SPLITS
        if stored[split] is not None
    ]


def _group(stored: Mapping[str, Any]) -> GroupScores:
    contrasts = {name: Contrast(**found) for name, found in stored["contrasts"].items()}
    return GroupScores(stored["group"], read_headline(stored["scores"]), contrasts)


def contrast_reading(group: GroupScores) -> str:
    """Say how a group differs from all others, where interval and adjusted p both show it."""
    if not group.contrasts:
        return "There is nobody to compare with."
    known = {name: each for name, each in group.contrasts.items() if each.low is not None}
    shown = [
        f"{metric_title(name)} {_side(name, each)} than in all others."
        for name, each in known.items()
        if _is_shown(each)
    ]
    return " ".join(shown) or (NOT_SHOWN if known else TOO_FEW)


def _is_shown(found: Contrast) -> bool:
    if found.low is None or found.high is None or found.p_holm is None:
        return False
    return found.p_holm < SIGNIFICANT and not found.low <= 0 <= found.high


def _side(metric: str, found: Contrast) -> str:
    higher = found.low is not None and found.low > 0
    return "better" if higher == (METRICS[metric].better == "higher") else "worse"


def subgroup_figure(material: Material) -> PageFigure | None:
    """Draw the stack's log loss in every group, out of fold, beside that of all."""
    columns = [each for each in read_subgroups(material.metrics) if each.split == "oof"]
    lines = {
        f"{column.name}: {each.group}": each.scores.metrics["log_loss"]
        for column in columns
        for each in column.groups
    }
    if not lines:
        return None
    figure = go.Figure(whiskers("stack", list(lines.values()), BLUE))
    name_lines(figure, list(lines))
    figure.update_layout(showlegend=False)
    everyone = material.chosen.oof[columns[0].level].metrics["log_loss"].value
    if everyone is not None:
        dotted = {"dash": "dot", "color": GREY, "width": 1.5}
        figure.add_vline(x=everyone, line=dotted, layer="below")
    told = "; ".join(f"{name} {with_interval(found)}" for name, found in lines.items())
    return page_figure(
        "subgroup-loss",
        "Log loss of the stack by group, lower is better",
        f"Log loss of the stack, out of fold. {told}.",
        figure,
        height=84 + 34 * len(lines),
        caption="Dot: figure. Whisker: 95 % interval. Dotted line: all samples together.",
    )
