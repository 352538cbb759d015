"""Dots with whiskers: figures and their 95 % intervals, a line each."""

from collections.abc import Sequence

import plotly.graph_objects as go

from raymed.evaluation import Estimate
from raymed.report.figures import plain
from raymed.report.wording import with_interval


def whiskers(
    name: str,
    estimates: Sequence[Estimate],
    colour: str,
    symbol: str = "circle",
    shift: float = 0.0,
) -> go.Scatter:
    """Draw estimates from the top down as one series; without an interval a dot stands alone."""
    sides = [_reach(found) for found in estimates]
    return go.Scatter(
        x=[found.value for found in estimates],
        y=[at + shift for at in range(len(estimates))],
        name=name,
        mode="markers",
        marker={"color": colour, "size": 10, "symbol": symbol},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [up for _, up in sides],
            "arrayminus": [down for down, _ in sides],
            "color": colour,
            "thickness": 1.75,
            "width": 0,
        },
        text=[with_interval(found) for found in estimates],
        hovertemplate=f"{plain(name, 60)}: %{{text}}<extra></extra>",
    )


def name_lines(figure: go.Figure, names: Sequence[str]) -> None:
    """Name the heights 0, 1, .. from the top down."""
    figure.update_yaxes(
        tickvals=list(range(len(names))),
        ticktext=[plain(name) for name in names],
        range=[len(names) - 0.5, -0.5],
        showgrid=False,
    )


def _reach(found: Estimate) -> tuple[float, float]:
    """How far the whisker goes down and up."""
    if found.value is None or found.low is None or found.high is None:
        return 0.0, 0.0
    return found.value - found.low, found.high - found.value
