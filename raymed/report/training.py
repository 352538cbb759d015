"""Training curves: the loss of each member over its epochs, fold by fold and on the mean."""

import math

import pandas as pd
import plotly.graph_objects as go

from raymed.report.figures import BLUE, GREY, VERMILION, PageFigure, page_figure, plain
from raymed.report.material import Curves
from raymed.report.wording import count, number

LINES = (("loss", "training", BLUE, "solid"), ("held_out_loss", "held out", VERMILION, "dash"))
TRAINED = {"head": "head", "all": "all layers"}


def training_figure(at: int, curves: Curves) -> PageFigure | None:
    """Draw one member's loss over epochs; None when no fold's epochs are left."""
    if not curves.folds:
        return None
    epochs = pd.concat(list(curves.folds.values()), keys=list(curves.folds), names=["fold"])
    figure = go.Figure()
    for column, label, colour, dash in LINES:
        for fold, table in curves.folds.items():
            figure.add_trace(_thin(table, column, f"{label}, fold {fold}", colour))
        figure.add_trace(_mean(epochs, column, label, colour, dash))
    for epoch, trained in _phases(epochs):
        _mark_phase(figure, epoch, TRAINED.get(trained, plain(trained)))
    figure.update_xaxes(title_text="Epoch", showgrid=False, **_ticks(epochs))
    figure.update_yaxes(title_text="Log loss", rangemode="tozero")
    return page_figure(
        f"training-{at}",
        curves.member,
        _words(curves, epochs),
        figure,
        height=320,
        caption=f"Thin: {count(len(curves.folds), 'fold')}. Thick: their mean. Above each phase, "
        "what it trains; a dotted line where the next begins.",
    )


def _thin(table: pd.DataFrame, column: str, label: str, colour: str) -> go.Scatter:
    return go.Scatter(
        x=table["epoch"].tolist(),
        y=_without_nan(table[column]),
        mode="lines",
        line={"color": colour, "width": 1},
        opacity=0.35,
        showlegend=False,
        hovertemplate=f"{label}, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
    )


def _mean(epochs: pd.DataFrame, column: str, label: str, colour: str, dash: str) -> go.Scatter:
    mean = epochs.groupby("epoch")[column].mean()
    few = len(mean) < 3  # a line of one epoch is invisible
    return go.Scatter(
        x=mean.index.tolist(),
        y=_without_nan(mean),
        mode="lines+markers" if few else "lines",
        name=label,
        line={"color": colour, "width": 3, "dash": dash},
        hovertemplate=f"{label}, mean, epoch %{{x}}: %{{y:.3f}}<extra></extra>",
    )


def _phases(epochs: pd.DataFrame) -> list[tuple[float, str]]:
    """List the first epoch of each phase and what it trains."""
    first = epochs.sort_values("epoch").groupby("phase").first()
    return [
        (float(start), str(trained))
        for start, trained in zip(first["epoch"], first["train"], strict=True)
    ]


def _mark_phase(figure: go.Figure, epoch: float, label: str) -> None:
    if epoch > 1:
        figure.add_vline(x=epoch - 0.5, line={"dash": "dot", "color": GREY, "width": 1.5})
    figure.add_annotation(
        x=max(epoch - 0.5, 1),
        y=1,
        yref="paper",
        text=label,
        showarrow=False,
        xanchor="left",
        yanchor="bottom",
        xshift=4 if epoch > 1 else 0,
        font={"size": 11},
    )


def _ticks(epochs: pd.DataFrame) -> dict[str, object]:
    last = int(epochs["epoch"].max())
    return {"range": [0.8, last + 0.2], "dtick": max(1, math.ceil(last / 8)), "tick0": 1}


def _words(curves: Curves, epochs: pd.DataFrame) -> str:
    mean = epochs.groupby("epoch")[["loss", "held_out_loss"]].mean()
    ends = [
        f"{label} from {number(float(mean[column].iloc[0]))} to "
        f"{number(float(mean[column].iloc[-1]))}"
        for column, label, _, _ in LINES
    ]
    return (
        f"Log loss of {curves.member} over {count(len(mean), 'epoch')}, "
        f"mean of {count(len(curves.folds), 'fold')}: {'; '.join(ends)}"
    )


def _without_nan(values: "pd.Series[float]") -> list[float | None]:
    return [None if pd.isna(value) else float(value) for value in values]
