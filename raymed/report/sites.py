"""Left-out sites, where a run scored them: read, drawn, and put into words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import plotly.graph_objects as go

from raymed.evaluation import Cost, Estimate, Headline, SiteRow, SiteScores
from raymed.files import read_json
from raymed.report.figures import BLUE, VERMILION, PageFigure, page_figure
from raymed.report.whiskers import name_lines, whiskers
from raymed.report.wording import with_interval
from raymed.runs import RunFolder

SIGNIFICANT = 0.05
TOO_FEW = "Too few patients to say."
NOT_SHOWN = "No difference could be shown."


@dataclass(frozen=True)
class LeftOutSites:
    """Every row at all sites, then at each; `failed` are the members that are missing."""

    level: str
    chosen: str
    scores: tuple[SiteScores, ...]
    failed: tuple[Mapping[str, str], ...]
    warnings: tuple[str, ...]

    def stack(self, place: SiteScores) -> SiteRow:
        """Give the row of the stack that predicts, cross-fitted by site."""
        stacks = (row for row in place.rows if row.kind == "meta-learner")
        return next(row for row in stacks if row.name == self.chosen)

    @property
    def cautions(self) -> list[str]:
        """Every warning of the stack's figures, with its place."""
        told = [
            f"{site_title(place)}: {warning}"
            for place in self.scores
            for warning in self.stack(place).left_out.warnings
        ]
        return [*self.warnings, *told]


def read_sites(run: RunFolder) -> LeftOutSites | None:
    """Read what a run wrote; None where it did not ask for left-out sites, or scored none."""
    file = run.left_out_sites.metrics_file
    if run.experiment().evaluate.sites == "none" or not file.is_file():
        return None
    stored = read_json(file)
    places = stored["scores"]
    return LeftOutSites(
        stored["level"],
        stored["chosen"],
        tuple(SiteScores(each["site"], [_row(row) for row in each["rows"]]) for each in places),
        tuple(stored["failed"]),
        tuple(stored["warnings"]),
    )


def read_headline(stored: Mapping[str, Any]) -> Headline:
    """Read figures as `Headline` lies in JSON."""
    metrics = {name: Estimate(**found) for name, found in stored["metrics"].items()}
    return Headline(stored["rows"], stored["patients"], metrics, stored["warnings"])


def _row(stored: Mapping[str, Any]) -> SiteRow:
    return SiteRow(
        stored["name"],
        stored["kind"],
        read_headline(stored["left_out"]),
        read_headline(stored["grouped"]),
        Cost(**stored["cost"]),
    )


def site_title(place: SiteScores) -> str:
    """Name a site, or all of them."""
    return "All sites" if place.site is None else place.site


def cost_reading(cost: Cost) -> str:
    """Say what a new site costs, if interval and adjusted p both show it."""
    if cost.low is None or cost.high is None:
        return TOO_FEW
    if cost.p_holm is None or cost.p_holm >= SIGNIFICANT or cost.low <= 0 <= cost.high:
        return NOT_SHOWN
    return "Worse at a new site." if cost.low > 0 else "Better at a new site."


def site_figure(sites: LeftOutSites | None) -> PageFigure | None:
    """Draw the stack's log loss at each site, with the site left out and with it in training."""
    if sites is None:
        return None
    rows = {site_title(place): sites.stack(place) for place in sites.scores}
    left_out = [row.left_out.metrics["log_loss"] for row in rows.values()]
    grouped = [row.grouped.metrics["log_loss"] for row in rows.values()]
    names = list(rows)
    figure = go.Figure(
        [
            whiskers("site left out", left_out, VERMILION, "diamond", shift=-0.15),
            whiskers("site in training", grouped, BLUE, shift=0.15),
        ]
    )
    words = [
        f"{name}: {with_interval(new)} left out, {with_interval(known)} patient-grouped"
        for name, new, known in zip(names, left_out, grouped, strict=True)
    ]
    name_lines(figure, names)
    return page_figure(
        "site-cost",
        "Log loss of the stack by site, lower is better",
        f"Log loss of the stack. {'; '.join(words)}.",
        figure,
        height=110 + 44 * len(names),
        caption="Diamond: by models that never saw the site. Circle: the same samples by models "
        "that saw other patients of the site. Whiskers: 95 % intervals.",
    )
