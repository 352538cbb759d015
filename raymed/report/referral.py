"""The abstention curve: what the error rate would be if unsure cases were referred."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import plotly.graph_objects as go

from raymed.evaluation import Estimate, SetScores
from raymed.report.figures import BLUE, VERMILION, PageFigure, page_figure
from raymed.report.wording import number, percent

SPLITS = {"oof": ("out of fold", BLUE, "solid"), "test": ("test split", VERMILION, "dash")}
TOLD = (1.0, 0.8, 0.5)
"""Shares of cases decided that the words and the caption tell."""


@dataclass(frozen=True)
class ScoredSets:
    """The sets of one level and split."""

    title: str
    scores: SetScores


def scored_sets(metrics: Mapping[str, Any]) -> list[ScoredSets]:
    """Read the scores of the conformal sets, patients first; empty for runs without any."""
    found = []
    for level, stored in reversed(metrics.get("conformal", {}).items()):
        for split, (name, *_) in SPLITS.items():
            if stored[split] is not None:
                title = f"{level.capitalize()} level, {name}"
                found.append(ScoredSets(title, read_set_scores(stored[split])))
    return found


def read_set_scores(stored: Mapping[str, Any]) -> SetScores:
    """Read the scores of sets as they lie in metrics.json."""
    by_class = {name: Estimate(**each) for name, each in stored["by_class"].items()}
    coverage = Estimate(**stored["coverage"])
    return SetScores(**{**stored, "coverage": coverage, "by_class": by_class})


def abstention_figures(metrics: Mapping[str, Any]) -> list[PageFigure]:
    """Draw a figure a level, a curve a split; empty for runs that an older raymed scored."""
    return [_figure(level, curves) for level, curves in metrics.get("abstention", {}).items()][::-1]


def _figure(level: str, curves: Mapping[str, Any]) -> PageFigure:
    noun = "patients" if level == "patient" else "images"
    figure, told = go.Figure(), []
    for split, (name, colour, dash) in SPLITS.items():
        curve = curves.get(split)
        if curve is None:
            continue
        figure.add_trace(
            go.Scatter(
                x=curve["coverage"],
                y=curve["risk"],
                customdata=curve["confidence"],
                name=name,
                mode="lines",
                line={"color": colour, "width": 2, "dash": dash},
                hovertemplate="%{x:.0%} decided, of them %{y:.1%} wrong; confidence from "
                "%{customdata:.2f}<extra></extra>",
            )
        )
        shares = "; ".join(
            f"{percent(share)} decided, {percent(_risk_at(curve, share), 1)} wrong"
            for share in TOLD
        )
        told.append(f"{name.capitalize()}: {shares} (area {number(curve['area'])})")
    figure.update_xaxes(
        range=[0, 1.02], tickformat=".0%", title_text=f"{noun} decided".capitalize()
    )
    figure.update_yaxes(rangemode="tozero", tickformat=".0%", title_text="Wrong among them")
    title = f"{'Patient' if level == 'patient' else 'Image'} level"
    return page_figure(
        f"abstention-{level}",
        title,
        f"Error rate against the share of {noun} decided. {'. '.join(told)}.",
        figure,
        height=320,
        caption=". ".join(told) + ".",
    )


def _risk_at(curve: Mapping[str, Any], share: float) -> float:
    """The risk at the first point that decides at least this share."""
    place = int(np.searchsorted(curve["coverage"], share - 1e-9))
    return float(curve["risk"][min(place, len(curve["risk"]) - 1)])
