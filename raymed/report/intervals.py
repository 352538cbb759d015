"""The interval plot: a dot and its whisker for each row, against the class prior."""

import plotly.graph_objects as go

from raymed.evaluation import Estimate
from raymed.report.figures import (
    BLUE,
    GREEN,
    GREY,
    VERMILION,
    PageFigure,
    page_figure,
    plain,
)
from raymed.report.material import Material, Row, View
from raymed.report.verdict import CHANCE
from raymed.report.wording import METRICS, with_interval

PLOTTED = ("log_loss", "auroc")
NARROWEST = 0.05


def interval_figures(material: Material, view: View) -> list[PageFigure]:
    """Draw log loss and AUROC of every row in one view."""
    return [_interval_figure(material, view, metric) for metric in PLOTTED]


def _interval_figure(material: Material, view: View, metric: str) -> PageFigure:
    rows = [
        (row, scores.metrics[metric])
        for row in material.rows
        if (scores := view.scores(row)) is not None
    ]
    figure = go.Figure([_dot(material, row, at, est) for at, (row, est) in enumerate(rows)])
    figure.update_yaxes(
        tickvals=list(range(len(rows))),
        ticktext=[plain(row.name) for row, _ in rows],
        range=[len(rows) - 0.5, -0.5],
        showgrid=False,
    )
    figure.update_layout(showlegend=False)
    figure.update_xaxes(range=_range([est for _, est in rows], _reference(material, view, metric)))
    reference = _reference(material, view, metric)
    if reference is not None:
        figure.add_vline(
            x=reference, line={"dash": "dot", "color": GREY, "width": 1.5}, layer="below"
        )
    against = "the class prior" if metric == "log_loss" else "chance"
    title = METRICS[metric].title
    return page_figure(
        f"interval-{metric}-{view.split}-{view.level}",
        f"{title}, {METRICS[metric].better} is better",
        f"{title} by row, {view.title.lower()}: "
        + "; ".join(f"{row.name} {with_interval(est)}" for row, est in rows),
        figure,
        height=64 + 34 * len(rows),
        caption=f"Dot: figure. Whisker: 95 % interval. Dotted line: {against}. "
        f"Diamond: the chosen stack.",
    )


def _range(estimates: list[Estimate], reference: float | None) -> list[float]:
    """Span all figures and intervals, and never so little that noise looks large."""
    parts = [part for each in estimates for part in (each.value, each.low, each.high)]
    known = [part for part in [*parts, reference] if part is not None] or [0.0, 1.0]
    padding = max(0.05 * (max(known) - min(known)), NARROWEST / 2)
    return [min(known) - padding, max(known) + padding]


def _reference(material: Material, view: View, metric: str) -> float | None:
    prior = view.scores(material.prior)
    if metric == "auroc":
        return CHANCE
    return prior.metrics[metric].value if prior is not None else None


def _dot(material: Material, row: Row, at: int, estimate: Estimate) -> go.Scatter:
    chosen = row == material.chosen
    colour = {"prior": GREY, "member": BLUE}.get(row.kind, VERMILION if chosen else GREEN)
    value, low, high = estimate.value, estimate.low, estimate.high
    known = value is not None and low is not None and high is not None
    return go.Scatter(
        x=[value],
        y=[at],
        mode="markers",
        marker={
            "color": colour,
            "size": 13 if chosen else 10,
            "symbol": "diamond" if chosen else "circle",
        },
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value] if known else [0],  # type: ignore[operator]
            "arrayminus": [value - low] if known else [0],  # type: ignore[operator]
            "color": colour,
            "thickness": 2.5 if chosen else 1.75,
            "width": 0,
            "visible": known,
        },
        hovertemplate=f"{plain(row.name, 60)}: {with_interval(estimate)}<extra></extra>",
    )
