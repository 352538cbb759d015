"""The reliability curve: how often predictions made with a confidence are right."""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from raymed.evaluation import Scores
from raymed.report.figures import BLUE, GREY, PageFigure, page_figure
from raymed.report.material import View
from raymed.report.wording import number, percent, with_interval

BAR_WIDTH = 0.035  # bins are 1/15 wide


def reliability_figure(view: View, scores: Scores) -> PageFigure:
    """Draw accuracy against confidence, and below it how many rows each point rests on."""
    bins = scores.reliability
    figure = make_subplots(
        rows=2, cols=1, shared_xaxes=True, row_heights=[0.74, 0.26], vertical_spacing=0.06
    )
    figure.add_trace(_diagonal(), row=1, col=1)
    figure.add_trace(_curve(scores, view.noun), row=1, col=1)
    figure.add_trace(
        go.Bar(
            x=[each.confidence for each in bins],
            y=[each.rows for each in bins],
            width=BAR_WIDTH,
            marker={"color": BLUE, "opacity": 0.55},
            hovertemplate=f"%{{y}} {view.noun} at %{{x:.0%}}<extra></extra>",
        ),
        row=2,
        col=1,
    )
    figure.update_xaxes(range=[0, 1.02], tickformat=".0%", dtick=0.25)
    figure.update_xaxes(title_text="Confidence in the predicted class", row=2, col=1)
    figure.update_yaxes(range=[-0.02, 1.04], tickformat=".0%", dtick=0.25, row=1, col=1)
    figure.update_yaxes(title_text="Right", row=1, col=1)
    figure.update_yaxes(title_text=view.noun.capitalize(), nticks=3, row=2, col=1)
    figure.update_layout(showlegend=False, bargap=0)
    return page_figure(
        f"reliability-{view.split}-{view.level}",
        view.title,
        f"Reliability, {view.title.lower()}: "
        + "; ".join(
            f"confidence {percent(each.confidence)}, right {percent(each.accuracy)}, "
            f"{each.rows} {view.noun}"
            for each in bins
        ),
        figure,
        height=380,
        caption=f"Calibration error {with_interval(scores.metrics['ece'])}; mean over "
        f"{number(scores.rows, 0)} {view.noun}. Resampling inflates this figure, so its interval "
        "is a rough range.",
    )


def _diagonal() -> go.Scatter:
    return go.Scatter(
        x=[0, 1],
        y=[0, 1],
        mode="lines",
        line={"dash": "dot", "color": GREY, "width": 1.5},
        hoverinfo="skip",
    )


def _curve(scores: Scores, noun: str) -> go.Scatter:
    bins = scores.reliability
    return go.Scatter(
        x=[each.confidence for each in bins],
        y=[each.accuracy for each in bins],
        customdata=[each.rows for each in bins],
        mode="lines+markers",
        line={"color": BLUE, "width": 2},
        marker={"color": BLUE, "size": 8},
        cliponaxis=False,
        hovertemplate="confidence %{x:.0%}, right %{y:.0%}, "
        f"%{{customdata}} {noun}<extra></extra>",
    )
