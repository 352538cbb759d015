"""Plotly figures as the page shows them: a specification, and the same in words.

The page's style sheet colours text, grids and legends, so that light, dark and print need no
second figure; here are only the colours of the data, from the Okabe-Ito palette.
"""

import json
from dataclasses import dataclass
from html import escape
from typing import Any

import plotly.graph_objects as go

BLUE, VERMILION, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#8A8F98"
DARKEST = 0.75  # of a cell that holds text, so that this keeps a contrast of 4.5
MANY = (BLUE, VERMILION, GREEN, "#CC79A7", "#E69F00", "#56B4E9")
FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'


@dataclass(frozen=True)
class PageFigure:
    """A figure of the page."""

    key: str  # its element's id
    title: str
    words: str  # what a screen reader says in its place
    spec: dict[str, Any]  # data and layout, JSON-ready
    height: int  # pixels
    caption: str = ""


def page_figure(
    key: str, title: str, words: str, figure: go.Figure, height: int, caption: str = ""
) -> PageFigure:
    """Put a figure into the house layout, and on the page."""
    figure.update_layout(
        template=go.layout.Template(),
        height=height,
        margin={"l": 8, "r": 12, "t": 8, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 13},
        hoverlabel={"font": {"family": FONT, "size": 13}},
        legend={"orientation": "h", "y": 1.09, "yanchor": "bottom", "x": 0, "xanchor": "left"},
        dragmode=False,
    )
    axis = {
        "automargin": True,
        "zeroline": False,
        "fixedrange": True,
        "title_font_size": 13,
        "title_standoff": 10,
    }
    figure.update_xaxes(axis)
    figure.update_yaxes(axis)
    return PageFigure(key, title, words, json.loads(figure.to_json()), height, caption)


def plain(text: str, longest: int = 26) -> str:
    """Make a name safe for Plotly, which reads some HTML, and short enough for an axis."""
    short = text if len(text) <= longest else text[: longest - 1] + "…"
    return escape(short, quote=False)
