"""Left-out sites: what predictions are worth at a site that nothing was fitted on."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from raymed.evaluation.comparison import Difference, difference_of_rows, holm
from raymed.evaluation.headline import Headline, Terms, score_headline
from raymed.evaluation.rows import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class TwoWays:
    """One row's probabilities [samples, classes] of the same samples, made in two ways.

    What made `left_out` saw nothing of a sample's site, what made `grouped` nothing of its patient.
    """

    name: str
    kind: str  # "prior", "member" or "meta-learner"
    left_out: FloatArray
    grouped: FloatArray


@dataclass(frozen=True)
class Cost(Difference):
    """Log loss at a new site less that of patient-grouped folds; positive: the new site costs.

    `p_holm` allows for the sites, and for all of them together.
    """

    p_holm: float | None = None


@dataclass(frozen=True)
class SiteRow:
    """A row's figures in both ways, on the samples of one site or of all."""

    name: str
    kind: str
    left_out: Headline
    grouped: Headline
    cost: Cost


@dataclass(frozen=True)
class SiteScores:
    """Every row at one site; `site` is None for all of them pooled."""

    site: str | None
    rows: list[SiteRow]


def score_sites(
    predicted: Sequence[TwoWays],
    labels: IntArray,
    patients: npt.NDArray[np.object_],
    sites: npt.NDArray[np.object_],
    terms: Terms,
) -> list[SiteScores]:
    """Score all samples pooled, then those of each site [samples].

    The cost is resampled and tested as in `paired_difference`, its p adjusted by Holm. Raises
    `InputError` as `score` does.
    """
    places = [None, *sorted(set(sites))]
    chosen = [sites == site if site else np.ones(len(sites), dtype=bool) for site in places]
    columns = []
    for ways in predicted:
        column = [_row(ways, labels, patients, own, terms) for own in chosen]
        adjusted = holm([row.cost.p for row in column])
        columns.append(
            [
                replace(row, cost=replace(row.cost, p_holm=p))
                for row, p in zip(column, adjusted, strict=True)
            ]
        )
    by_place = zip(*columns, strict=True)
    return [SiteScores(site, list(rows)) for site, rows in zip(places, by_place, strict=True)]


def _row(
    ways: TwoWays,
    labels: IntArray,
    patients: npt.NDArray[np.object_],
    own: BoolArray,
    terms: Terms,
) -> SiteRow:
    left_out = terms.rows(ways.left_out[own], labels[own], patients[own])
    grouped = terms.rows(ways.grouped[own], labels[own], patients[own])
    # where there is no interval, the figures on both sides say why
    cost, _ = difference_of_rows(
        left_out, grouped, "log_loss", terms.folds, terms.draws, terms.seed
    )
    return SiteRow(
        ways.name,
        ways.kind,
        score_headline(left_out, terms),
        score_headline(grouped, terms),
        Cost(**vars(cost)),
    )
