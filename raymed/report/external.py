"""What the stack is worth on external test sets, read from their evaluations and put in words."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from raymed.evaluation import Difference, Estimate, Scores
from raymed.files import complete, read_json
from raymed.report.description import joined_warnings
from raymed.report.material import LEVELS, Row, scores_by_level
from raymed.report.referral import ScoredSets, read_set_scores
from raymed.report.verdict import reading
from raymed.report.wording import METRICS, count, number, with_interval
from raymed.runs import RunFolder

SCHEMA = 1
TOLD = ("log_loss", "auroc")
"""The figures whose change against out of fold is put in words."""


@dataclass(frozen=True)
class ExternalView:
    """A level of one external test set."""

    name: str
    level: str  # "patient" or "image"

    @property
    def title(self) -> str:
        """Name the view as headings do."""
        return f"{self.level.capitalize()} level, {self.name}"

    @property
    def noun(self) -> str:
        """Say what a row of this view's table is."""
        return f"{self.level}s"

    def scores(self, row: Row) -> Scores | None:
        """Give the scores of a row in this view, if it has them."""
        return row.test.get(self.level)


@dataclass(frozen=True)
class ExternalEvaluation:
    """The evaluation of one external test set; `facts` is its metrics.json."""

    facts: Mapping[str, Any]
    rows: tuple[Row, ...]  # the class prior, the members, the stack; scores as those of a test
    up_to_date: bool  # whether it scored the stack that the run has now

    @property
    def chosen(self) -> Row:
        """The row of the stack."""
        return self.rows[-1]

    @property
    def views(self) -> list[ExternalView]:
        """Its levels, patients first."""
        found = [ExternalView(self.facts["name"], level) for level in LEVELS]
        return [view for view in found if view.scores(self.chosen) is not None]

    @property
    def size(self) -> str:
        """Say how large it is: `24 images of 8 patients`."""
        images = count(self.facts["samples"], "image")
        if not self.facts["patients_declared"]:
            return f"{images} of undeclared patients"
        return f"{images} of {count(self.facts['patients'], 'patient')}"

    @property
    def mark(self) -> str | None:
        """Say in two words what stands against its figures, if anything does."""
        if not self.facts["independent"]:
            return "not independent"
        return "independence not shown" if self.facts["doubts"] else None

    @property
    def changes(self) -> list[str]:
        """Say how the stack's figures differ from those out of fold, at the highest level."""
        view = self.views[0]
        before, now = self.facts["out_of_fold"].get(view.level), view.scores(self.chosen)
        if before is None or now is None:
            return []
        return [_change(key, Estimate(**before[key]), now.metrics[key]) for key in TOLD]

    @property
    def comparison(self) -> dict[str, Any]:
        """Give the comparison of stack and best member, with its reading."""
        stored = self.facts["comparison"]
        difference = Difference(**stored["difference"])
        alone = {"p_holm": difference.p}  # one comparison needs no adjustment
        return {**stored, **alone, "difference": difference, "reading": reading(difference)}

    @property
    def sets(self) -> list[ScoredSets]:
        """The scores of the conformal sets, patients first."""
        stored = self.facts["conformal"]
        return [
            ScoredSets(view.title, read_set_scores(stored[view.level]["test"]))
            for view in self.views
            if view.level in stored
        ]

    @property
    def warnings(self) -> list[str]:
        """The warnings about the stack's figures."""
        return [
            f"{view.title}: {warning}"
            for view in self.views
            if (scores := view.scores(self.chosen)) is not None
            for warning in joined_warnings(scores.warnings)
        ]


def read_external(run: RunFolder) -> list[ExternalEvaluation]:
    """Read a run's complete external evaluations, by name."""
    current = read_json(run.metrics_file).get("about")
    found = []
    for marker in sorted(run.evaluations_folder.glob("*/DONE.json")):
        folder = marker.parent
        if complete(folder) is None:
            continue
        facts = read_json(folder / "metrics.json")
        if facts["schema"] == SCHEMA:
            rows = tuple(_row(stored) for stored in facts["rows"])
            found.append(ExternalEvaluation(facts, rows, facts["stack"] == current))
    return found


def _row(stored: Mapping[str, Any]) -> Row:
    own = ("name", "kind", "scores")
    facts = {key: value for key, value in stored.items() if key not in own}
    return Row(stored["name"], stored["kind"], {}, scores_by_level(stored["scores"]), facts)


def _change(key: str, before: Estimate, now: Estimate) -> str:
    """Say by how much a figure is better or worse, and whether that can be claimed."""
    title = METRICS[key].title
    told = f"{title} is {with_interval(now)} here and {with_interval(before)} out of fold"
    if now.value is None or before.value is None:
        return f"{told}: there is nothing to compare."
    change = now.value - before.value
    better = (change > 0) == (METRICS[key].better == "higher")
    told = f"{told}: {number(abs(change))} {'better' if better else 'worse'}."
    if None in (now.low, now.high, before.low, before.high):
        return f"{told} Without an interval on both sides no difference can be claimed."
    apart = now.low > before.high or now.high < before.low  # type: ignore[operator]
    if apart:
        return f"{told} The two intervals lie apart: the difference is more than chance."
    return f"{told} The two intervals overlap: no difference could be shown."
