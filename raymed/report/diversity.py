"""How members err together: a matrix of pairs, and who is right where others are wrong."""

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from raymed.report.figures import BLUE, DARKEST, PageFigure, page_figure, plain
from raymed.report.wording import number, percent

MOST_PATTERNS = 16
SCALE = [[share, f"rgba(0,114,178,{share * DARKEST})"] for share in (0.0, 1.0)]  # blue, see-through


def diversity_figures(metrics: Mapping[str, Any]) -> list[PageFigure]:
    """Draw the matrix where there are pairs, and the patterns of up to five members."""
    found = metrics.get("diversity")
    if found is None or not found["pairs"]:
        return []
    figures = [_matrix(found)]
    if found["patterns"] is not None:
        figures.append(_patterns(found))
    return figures


def _matrix(found: Mapping[str, Any]) -> PageFigure:
    names = list(found["repairs"])
    values: list[list[float | None]] = [[None] * len(names) for _ in names]
    for pair in found["pairs"]:
        a, b = names.index(pair["a"]), names.index(pair["b"])
        values[a][b] = values[b][a] = pair["disagreement"]
    short = [plain(name) for name in names]
    figure = go.Figure(
        go.Heatmap(
            z=values,
            x=short,
            y=short,
            colorscale=SCALE,
            zmin=0,
            text=[["" if v is None else percent(v) for v in row] for row in values],
            texttemplate="%{text}",
            hovertemplate="%{y} and %{x}: one right, the other wrong in %{z:.1%}<extra></extra>",
            showscale=False,
            xgap=2,
            ygap=2,
        )
    )
    figure.update_yaxes(autorange="reversed")
    words = "; ".join(
        f"{pair['a']} and {pair['b']}: {percent(pair['disagreement'])} "
        f"(both wrong {percent(pair['double_fault'])}, Q {number(pair['q'], 2)})"
        for pair in found["pairs"]
    )
    return page_figure(
        "disagreement",
        "One right, the other wrong",
        f"Share of {_noun(found)} about which one member is right and the other wrong. {words}.",
        figure,
        height=max(260, 44 * len(names) + 110),
        caption="The more, the more there is for a stack to gain.",
    )


def _patterns(found: Mapping[str, Any]) -> PageFigure:
    largest = sorted(found["patterns"], key=lambda each: -each["rows"])[:MOST_PATTERNS]
    told = [each for each in largest if each["rows"]]
    members = len(found["repairs"])

    def name(right: list[str]) -> str:
        if len(right) in (0, members):
            return "all right" if right else "all wrong"
        return plain(" + ".join(right), 40)

    labels = [name(each["right"]) for each in told]
    figure = go.Figure(
        go.Bar(
            x=[each["rows"] for each in told],
            y=labels,
            orientation="h",
            marker={"color": BLUE},
            hovertemplate=f"%{{x}} {_noun(found)}<extra></extra>",
        )
    )
    figure.update_yaxes(autorange="reversed")
    figure.update_xaxes(title_text=_noun(found).capitalize())
    return page_figure(
        "patterns",
        "Who is right",
        f"{_noun(found).capitalize()} by the members that are right about them: "
        + "; ".join(f"{label}, {e['rows']}" for label, e in zip(labels, told, strict=True)),
        figure,
        height=max(240, 26 * len(told) + 90),
    )


def _noun(found: Mapping[str, Any]) -> str:
    return "patients" if found["level"] == "patient" else "images"
