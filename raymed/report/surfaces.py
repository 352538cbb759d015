"""Loss surfaces of two members: along one direction in one figure, on a square side by side."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from raymed.report.figures import BLUE, VERMILION, PageFigure, page_figure, plain
from raymed.report.sharpness import MemberSharpness
from raymed.report.wording import number

LOOKS = ((BLUE, "solid"), (VERMILION, "dash"))
LEAST = 1e-4  # a loss of 0 has no logarithm
LEVELS = 14  # contour lines over the range that both squares share


def surface_figures(measured: Sequence[MemberSharpness]) -> list[PageFigure]:
    """Draw the members that have a plane: a square each on one scale, then the lines."""
    shown = [each for each in measured if each.plane is not None and each.line is not None]
    if not shown:
        return []
    logs = [_log(loss) for each in shown for loss in _losses(each.plane)]
    scale = min(logs, default=0.0), max(logs, default=0.0)
    squares = [_square(at, each, scale) for at, each in enumerate(shown)]
    return [*squares, _lines(shown)]


def _square(at: int, measured: MemberSharpness, scale: tuple[float, float]) -> PageFigure:
    plane = measured.plane or {}
    low, high = scale[0], max(scale[1], scale[0] + 1e-3)
    ticks = _ticks(low, high)
    figure = go.Figure(
        go.Contour(
            x=plane["alphas"],
            y=plane["betas"],
            z=[[None if loss is None else _log(loss) for loss in row] for row in plane["losses"]],
            text=[[number(loss) for loss in row] for row in plane["losses"]],
            zmin=low,
            zmax=high,
            contours={"start": low, "end": high, "size": (high - low) / LEVELS},
            colorscale="Cividis",
            line={"width": 0.5, "color": "rgba(255,255,255,0.7)"},
            colorbar={
                "title": {"text": "Loss"},
                "tickvals": [math.log10(tick) for tick in ticks],
                "ticktext": [f"{tick:g}" for tick in ticks],
                "thickness": 14,
            },
            hovertemplate="first %{x:.1f}, second %{y:.1f}: loss %{text}<extra></extra>",
        )
    )
    figure.add_trace(_model())
    figure.update_xaxes(title_text="First direction", showgrid=False, dtick=0.5)
    figure.update_yaxes(title_text="Second direction", showgrid=False, dtick=0.5)
    return page_figure(
        f"surface-{at}",
        measured.member,
        f"Loss around the weights of {measured.member} on two random directions: "
        f"{number(measured.figures['loss'])} at the weights, {_range(_losses(plane))} on the "
        "square",
        figure,
        height=340,
        caption="The cross marks the trained weights. One logarithmic scale for every square.",
    )


def _model() -> go.Scatter:
    return go.Scatter(
        x=[0],
        y=[0],
        mode="markers",
        marker={"symbol": "cross", "size": 11, "color": "white", "line": {"width": 1.5}},
        hoverinfo="skip",
        showlegend=False,
    )


def _lines(shown: Sequence[MemberSharpness]) -> PageFigure:
    figure = go.Figure()
    for each, (colour, dash) in zip(shown, LOOKS, strict=False):
        line = each.line or {}
        figure.add_trace(
            go.Scatter(
                x=line["alphas"],
                y=[None if loss is None else max(loss, LEAST) for loss in line["losses"]],
                mode="lines",
                name=plain(each.member),
                line={"color": colour, "width": 3, "dash": dash},
                hovertemplate="%{x:.1f}: loss %{y:.3f}<extra></extra>",
            )
        )
    figure.update_layout(showlegend=True)
    figure.update_xaxes(title_text="First direction", showgrid=False, dtick=0.5)
    figure.update_yaxes(title_text="Loss", type="log", nticks=6)
    words = "; ".join(
        f"{each.member}: {number(each.figures['loss'])} at the weights, "
        f"{_range(_losses(each.line))} along the line"
        for each in shown
    )
    return page_figure(
        "surface-line",
        "Along the first direction",
        f"Loss along one random direction. {words}",
        figure,
        height=340,
        caption="0 is the trained weights.",
    )


def _losses(surface: Mapping[str, Any] | None) -> list[float]:
    """List the finite losses of a line or a plane."""
    losses: Iterable[Any] = surface["losses"] if surface is not None else ()
    rows = [each if isinstance(each, list) else [each] for each in losses]
    return [float(loss) for row in rows for loss in row if loss is not None]


def _range(losses: list[float]) -> str:
    if not losses:
        return "nothing finite"
    return f"from {number(min(losses))} to {number(max(losses))}"


def _log(loss: float) -> float:
    return math.log10(max(loss, LEAST))


def _ticks(low: float, high: float) -> list[float]:
    """List 1, 2 and 5 times the powers of ten in a logarithmic range; of a wide one the powers."""
    steps = (1, 2, 5) if high - low < 3 else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    ticks = [step * 10.0**power for power in powers for step in steps]
    return [tick for tick in ticks if low <= math.log10(tick) <= high]
