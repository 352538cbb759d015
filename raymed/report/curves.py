"""ROC and precision-recall curves: the stack with its band, its best member as a thin line."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from raymed.evaluation import Estimate
from raymed.report.figures import BLUE, GREY, VERMILION, PageFigure, page_figure, plain
from raymed.report.wording import listed, number, with_interval


@dataclass(frozen=True)
class _Look:
    name: str
    colour: str
    shade: str
    dash: str


@dataclass(frozen=True)
class _Kind:
    key: str
    title: str
    area: str
    x: str
    y: str
    shape: str  # of the line between two points
    point: tuple[str, str]  # where the operating point lies


SPLITS = {
    "oof": _Look("out of fold", BLUE, "rgba(0,114,178,0.16)", "solid"),
    "test": _Look("test split", VERMILION, "rgba(213,94,0,0.16)", "dash"),
}
KINDS = (
    _Kind(
        "roc",
        "ROC",
        "AUROC",
        "False alarms (1 - specificity)",
        "Sensitivity",
        "linear",
        ("false_positive_rate", "sensitivity"),
    ),
    _Kind(
        "precision_recall",
        "Precision and recall",
        "average precision",
        "Recall (sensitivity)",
        "Precision (PPV)",
        "vh",
        ("sensitivity", "precision"),
    ),
)


def curve_figures(metrics: Mapping[str, Any]) -> dict[str, list[PageFigure]]:
    """Draw two figures a question, by its title; none for runs that an older raymed scored."""
    found = metrics.get("curves", {})
    return {
        _title(question): [
            _figure(
                found, question, f"{kind.key.replace('_', '-')}-{place}-{_slug(question)}", kind
            )
            for kind in KINDS
        ]
        for place, question in enumerate(found.get("questions", []))
    }


def _title(question: Mapping[str, Any]) -> str:
    return f"{question['title']} against {'all others' if question['binary'] else 'the rest'}"


def _slug(question: Mapping[str, Any]) -> str:
    return re.sub(r"[^a-z0-9]+", "-", question["title"].lower()).strip("-")[:40]


def _figure(
    found: Mapping[str, Any], question: Mapping[str, Any], key: str, kind: _Kind
) -> PageFigure:
    splits = [(SPLITS[name], question[name]) for name in SPLITS if question[name] is not None]
    figure = go.Figure()
    for look, split in splits:
        figure.add_traces(list(_traces(found, split, look, kind)))
    if kind.key == "roc":
        figure.add_shape(
            type="line", x0=0, y0=0, x1=1, y1=1, line={"dash": "dot", "color": GREY, "width": 1.5}
        )
    figure.update_xaxes(range=[-0.01, 1.06], dtick=0.25, tickformat=".0%", title_text=kind.x)
    figure.update_yaxes(range=[-0.01, 1.03], dtick=0.25, tickformat=".0%", title_text=kind.y)
    told = _told(splits, kind)
    return page_figure(
        key,
        kind.title,
        f"{kind.title}, {_title(question)}, {found['level']} level: {told}",
        figure,
        height=400,
        caption=" ".join([f"{told[0].upper()}{told[1:]}.", *_notes(found, question, splits, kind)]),
    )


def _traces(
    found: Mapping[str, Any], split: Mapping[str, Any], look: _Look, kind: _Kind
) -> Iterator[go.Scatter]:
    """The band, the best member, the stack and its operating point; the stack's lie on top."""
    curve, group = split[kind.key], {"legendgroup": look.name, "mode": "lines"}
    if curve["low"] is not None:
        yield go.Scatter(
            x=[*found["grid"], *reversed(found["grid"])],
            y=[*curve["high"], *reversed(curve["low"])],
            fill="toself",
            fillcolor=look.shade,
            line={"width": 0},
            hoverinfo="skip",
            showlegend=False,
            **group,
        )
    yield go.Scatter(
        x=curve["member"]["x"],
        y=curve["member"]["y"],
        name=f"{plain(found['member'])}, {look.name}",
        line={"color": look.colour, "width": 1.5, "dash": "dot", "shape": kind.shape},
        hovertemplate=f"{plain(found['member'], 60)}: %{{x:.1%}}, %{{y:.1%}}<extra></extra>",
        **group,
    )
    yield go.Scatter(
        x=curve["x"],
        y=curve["y"],
        name=f"stack, {look.name}",
        line={"color": look.colour, "width": 2.5, "dash": look.dash, "shape": kind.shape},
        hovertemplate=f"stack, {look.name}: %{{x:.1%}}, %{{y:.1%}}<extra></extra>",
        **group,
    )
    if split["point"] is not None:
        x, y = (split["point"][name] for name in kind.point)
        yield go.Scatter(
            x=[x],
            y=[y],
            mode="markers",
            marker={"color": look.colour, "size": 12, "symbol": "diamond"},
            legendgroup=look.name,
            showlegend=False,
            hovertemplate=f"threshold, {look.name}: %{{x:.1%}}, %{{y:.1%}}<extra></extra>",
        )


def _told(splits: Sequence[tuple[_Look, Mapping[str, Any]]], kind: _Kind) -> str:
    return "; ".join(
        f"{kind.area} {with_interval(Estimate(**split[kind.key]['area']))} {look.name}, "
        f"best member {number(split[kind.key]['member']['area'])}"
        for look, split in splits
    )


def _notes(
    found: Mapping[str, Any],
    question: Mapping[str, Any],
    splits: Sequence[tuple[_Look, Mapping[str, Any]]],
    kind: _Kind,
) -> list[str]:
    """Say what the lines are, which band is missing and why, and what guessing would give."""
    notes = [f"Thin: {found['member']}, the best member."]
    if kind.key == "precision_recall":
        shares = [f"{number(split['positive'])} {look.name}" for look, split in splits]
        notes.append(f"Guessing has a precision of {listed(shares)}.")
    if question["threshold"] is not None:
        notes.append(
            f"Diamond: threshold {number(question['threshold'])}, chosen on out-of-fold rows."
        )
    notes += [
        f"No band {look.name}: {warning}."
        for look, split in splits
        if (warning := split[kind.key]["warning"]) and split[kind.key]["low"] is None
    ]
    return notes
