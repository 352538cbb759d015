"""The page of `raymed lr-find`: loss against learning rate."""

from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

import plotly.graph_objects as go

from raymed.files import write_text
from raymed.report.figures import BLUE, FONT, GREY, VERMILION, plain


class Point(Protocol):
    """One step of a range test."""

    @property
    def lr(self) -> float:
        """The head's learning rate."""
        ...

    @property
    def loss(self) -> float:
        """The batch's loss, in nats."""
        ...

    @property
    def smoothed(self) -> float:
        """The loss's running mean."""
        ...


def write_rates_page(
    path: Path, title: str, points: Sequence[Point], suggested: float | None
) -> None:
    """Draw the curve and the suggested rate into one self-contained HTML file."""
    figure = go.Figure()
    rates = [point.lr for point in points]
    losses = [("each batch", [p.loss for p in points], GREY, 1)]
    losses.append(("running mean", [p.smoothed for p in points], BLUE, 3))
    for name, values, colour, width in losses:
        figure.add_trace(
            go.Scatter(
                x=rates, y=values, name=name, mode="lines", line={"color": colour, "width": width}
            )
        )
    words = "the loss never falls: no rate is suggested"
    if suggested is not None:
        words = f"suggested: {suggested:.1e}, a tenth of where the running mean is least"
        figure.add_vline(x=suggested, line={"color": VERMILION, "dash": "dash"})
    figure.update_layout(
        title={"text": f"Learning rate range test: {plain(title, 80)}<br><sub>{words}</sub>"},
        font={"family": FONT, "size": 14},
        template="plotly_white",
        height=560,
        legend={"orientation": "h", "y": -0.2},
    )
    figure.update_xaxes(title_text="learning rate of the head", type="log", exponentformat="power")
    figure.update_yaxes(title_text="log loss", rangemode="tozero")
    write_text(path, figure.to_html(include_plotlyjs=True, full_html=True))
