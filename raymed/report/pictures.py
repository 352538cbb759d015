"""Pictures in the report: how sizes and levels of grey are spread, and what tells the class."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import plotly.graph_objects as go

from raymed.data.audit.pictures.findings import FACTS
from raymed.report.figures import BLUE, GREEN, GREY, PageFigure, page_figure, plain
from raymed.report.wording import number

MEASURES = {
    "mean": ("Mean level of grey", "0 black, 255 white"),
    "contrast": ("Contrast", "standard deviation, levels of grey"),
    "width": ("Width", "pixels"),
    "height": ("Height", "pixels"),
}
_KINDS = (("class", BLUE), ("site", GREEN), ("split", GREY))
_MOST_GROUPS = 24


def picture_figures(pictures: Mapping[str, Any] | None) -> list[PageFigure]:
    """Draw a figure for each measure that differs within 5 to 95 %: a box a class, site, split."""
    if pictures is None:
        return []
    return [
        _figure(measure, pictures)
        for measure in MEASURES
        if len({each for row in pictures["distributions"] for each in row[measure][1:-1]}) > 1
    ]


def _figure(measure: str, pictures: Mapping[str, Any]) -> PageFigure:
    title, unit = MEASURES[measure]
    at = {share: place for place, share in enumerate(pictures["quantiles"])}
    figure = go.Figure()
    words = []
    shown = [row for row in pictures["distributions"] if len(row[measure])][:_MOST_GROUPS]
    for kind, colour in _KINDS:
        rows = [row for row in shown if row["by"] == kind]
        if not rows:
            continue
        figure.add_trace(_boxes(kind, colour, rows, measure, at))
        words += [f"{row['group']} {number(row[measure][at[0.5]])}" for row in rows]
    figure.update_yaxes(autorange="reversed", type="category")
    figure.update_xaxes(title=unit)
    figure.update_layout(boxgap=0.35, showlegend=len(figure.data) > 1)
    return page_figure(
        f"pictures-{measure}",
        title,
        f"{title}, medians: {'; '.join(words)}.",
        figure,
        height=110 + 30 * len(shown),
        caption="Box: the middle half of the images; line: the median; whiskers: from 5 % to 95 %.",
    )


def _boxes(
    kind: str, colour: str, rows: Sequence[Mapping[str, Any]], measure: str, at: Mapping[float, int]
) -> go.Box:
    def quantile(share: float) -> list[float]:
        return [row[measure][at[share]] for row in rows]

    return go.Box(
        y=[plain(f"{kind} {row['group']}") for row in rows],
        lowerfence=quantile(0.05),
        q1=quantile(0.25),
        median=quantile(0.5),
        q3=quantile(0.75),
        upperfence=quantile(0.95),
        orientation="h",
        name=f"by {kind}",
        marker={"color": colour},
        line={"width": 1.5},
    )


def association_rows(pictures: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Give the rows of the table: what, how closely, p, and how to take it."""
    for each in pictures["associations"]:
        measure = "Cramér’s V" if each["measure"] == "cramers_v" else "η² of ranks"
        judged = "says where a picture comes from" if each["origin"] else "may be the disease"
        yield {**each, "title": FACTS[each["fact"]], "measure": measure, "reading": judged}
