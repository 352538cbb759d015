"""Hidden groups in the report: the histogram behind the threshold, and some groups to look at."""

import base64
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import plotly.graph_objects as go
from PIL import Image

from raymed.data.shown_ids import ShownIds
from raymed.report.figures import BLUE, GREY, VERMILION, PageFigure, page_figure
from raymed.report.wording import number
from raymed.runs import RunFolder
from raymed.tables import read_parquet


@dataclass(frozen=True)
class Strip:
    """Some samples side by side, as a data URI: of one proposed group, or odd in one way."""

    about: str  # "hidden", or a key of report.pictures.ODD
    group: str
    sample_ids: Sequence[str]  # as they are shown
    side: tuple[int, int]  # width and height, pixels
    images: str


def read_contact_sheet(run: RunFolder, ids: ShownIds) -> tuple[Strip, ...]:
    """Read the strips of a run; none where the experiment asks for no gallery of images."""
    if not run.experiment().evaluate.gallery or not run.contact_file.is_file():
        return ()
    return tuple(_strip(row, ids) for row in read_parquet(run.contact_file).to_pylist())


def _strip(row: Mapping[str, Any], ids: ShownIds) -> Strip:
    width, height = Image.open(io.BytesIO(row["images"])).size
    uri = f"data:image/webp;base64,{base64.b64encode(row['images']).decode()}"
    shown = [ids.sample(each) for each in row["sample_ids"]]
    return Strip(row.get("about", "hidden"), row["group"], shown, (width, height), uri)


def hidden_figure(hidden: Mapping[str, Any] | None) -> PageFigure | None:
    """Draw how near an image's nearest comes, of its group and of strangers, and the threshold."""
    if hidden is None or hidden["histogram"] is None:
        return None
    found, threshold = hidden["histogram"], hidden["threshold"]
    edges = found["edges"]
    middles = [(low + high) / 2 for low, high in pairwise(edges)]
    strangers, inside = (_shares(found[key]) for key in ("strangers", "inside"))
    kinds = [("nearest stranger", strangers, GREY), ("nearest of the same group", inside, BLUE)]
    figure = go.Figure(
        [
            go.Bar(
                x=middles,
                y=shares,
                width=edges[1] - edges[0],
                name=name,
                marker={"color": colour, "opacity": 0.75},
                hovertemplate=f"{name}: %{{y:.1%}} at %{{x:.1f}}<extra></extra>",
            )
            for name, shares, colour in kinds
            if any(shares)
        ]
    )
    if threshold is not None:
        figure.add_vline(x=threshold, line={"color": VERMILION, "width": 2, "dash": "dash"})
    figure.update_layout(barmode="overlay", bargap=0)
    figure.update_xaxes(title="evidence that two images show one person (nats beyond chance)")
    figure.update_yaxes(title="share of images", tickformat=".0%")
    where = "no threshold" if threshold is None else f"the threshold lies at {number(threshold)}"
    return page_figure(
        "hidden",
        "How near images come, beyond chance",
        f"Histogram of the evidence of each image's nearest stranger and nearest of its group; "
        f"{where}.",
        figure,
        height=320,
        caption="The dashed line is the threshold." if threshold is not None else "",
    )


def _shares(counts: Sequence[int]) -> list[float]:
    total = sum(counts)
    return [count / total if total else 0.0 for count in counts]
