"""How far each layer group moved: the relative change of its weights, from stem to head."""

import math
from collections.abc import Iterator, Sequence
from itertools import cycle

import pandas as pd
import plotly.graph_objects as go

from raymed.report.figures import MANY, PageFigure, page_figure, plain
from raymed.report.material import Moved
from raymed.report.wording import count, listed, small_percent

DASHES, SYMBOLS = ("solid", "dash", "dot", "dashdot"), ("circle", "square", "diamond", "cross")
MOST_TICKS = 10
MEANING = (
    "Norm of the change of a group's weights over the norm of its first weights, mean over folds. "
    "Progressive fine-tuning, with lower rates towards the stem, is meant to move the stem less "
    "than standard fine-tuning; a probe moves nothing but its head. Heads start at zero, where a "
    "change has no relative size: they are left out, and so are groups that did not move."
)


def movement_figure(members: Sequence[Moved]) -> PageFigure | None:
    """Draw a line a member; None when nothing but heads moved, or nobody wrote down how far."""
    means = {each.member: _means(each.groups) for each in members if not each.groups.empty}
    drawn = {member: table for member, table in means.items() if table["relative"].gt(0).any()}
    if not drawn:
        return None
    figure = go.Figure()
    for (member, table), look in zip(drawn.items(), _looks(), strict=False):
        figure.add_trace(_line(member, table, *look))
    figure.update_xaxes(
        range=[-0.03, 1.03], tickvals=[0, 0.5, 1], ticktext=["stem", "middle", "head"]
    )
    figure.update_xaxes(title_text="Depth of the layer group", showgrid=False)
    figure.update_yaxes(title_text="Relative change", type="log", **_ticks(list(drawn.values())))
    figure.update_layout(showlegend=True)
    return page_figure(
        "movement",
        "How far each layer group moved",
        "Relative change of each layer group's weights, mean over folds: "
        + "; ".join(_words(member, table) for member, table in means.items()),
        figure,
        height=340 + 20 * (len(drawn) // 4),
        caption=MEANING + _unmoved([member for member in means if member not in drawn]),
    )


def _means(groups: pd.DataFrame) -> pd.DataFrame:
    """Give a row a group, from the stem: its depth from 0 to 1, mean change, number of folds."""
    by_group = groups.groupby(["place", "group"], sort=True)["relative"]
    table = by_group.agg(["mean", "size"]).reset_index()
    table = table.rename(columns={"mean": "relative", "size": "folds"})
    depth = table["place"] / max(1, table["place"].max())
    return table.assign(depth=depth.where(table["group"] != "body", 0.5))  # a body is all depths


def _looks() -> Iterator[tuple[str, str, str]]:
    """Tell lines apart by colour, and without colours by dash and symbol."""
    return zip(cycle(MANY), cycle(DASHES), cycle(SYMBOLS), strict=False)


def _line(member: str, table: pd.DataFrame, colour: str, dash: str, symbol: str) -> go.Scatter:
    return go.Scatter(
        x=table["depth"].tolist(),
        y=[change if change > 0 else None for change in table["relative"]],
        customdata=[
            f"{plain(group, 40)}: {small_percent(change)}, mean of {count(folds, 'fold')}"
            if change > 0
            else ""
            for group, change, folds in zip(
                table["group"], table["relative"], table["folds"], strict=True
            )
        ],
        mode="lines+markers",
        name=plain(member),
        line={"color": colour, "width": 2, "dash": dash},
        marker={"color": colour, "size": 7, "symbol": symbol},
        hovertemplate=f"{plain(member, 60)}, %{{customdata}}<extra></extra>",
    )


def _ticks(tables: list[pd.DataFrame]) -> dict[str, object]:
    """Mark 1, 2 and 5 of each decade around all changes, or 1 alone where they span many."""
    changes = [change for table in tables for change in table["relative"] if change > 0]
    low, high = min(changes), max(changes)
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    marks = [float(f"{digit}e{decade}") for decade in decades for digit in (1, 2, 5)]
    below = max([mark for mark in marks if mark <= low], default=low)
    above = min([mark for mark in marks if mark >= high and mark > below], default=high)
    inside = [mark for mark in marks if below <= mark <= above]
    shown = inside if len(inside) <= MOST_TICKS else [float(f"1e{decade}") for decade in decades]
    return {
        "range": [math.log10(below) - 0.05, math.log10(above) + 0.05],
        "tickvals": shown,
        "ticktext": [small_percent(mark) for mark in shown],
    }


def _words(member: str, table: pd.DataFrame) -> str:
    known = table[table["relative"].notna()]
    if not known["relative"].gt(0).any():
        return f"{member}: nothing but its head moved"
    ends = [known.iloc[0], known.iloc[-1]] if len(known) > 1 else [known.iloc[0]]
    said = [f"{small_percent(float(end['relative']))} ({end['group']})" for end in ends]
    return f"{member} from {said[0]} to {said[1]}" if len(said) > 1 else f"{member} {said[0]}"


def _unmoved(members: list[str]) -> str:
    return f" Nothing but the head moved in {listed(members)}." if members else ""
