"""Evidential members' doubt, and plainer doubts beside it: which finds errors best."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import entr

from raymed.data.predictions import opinion_of
from raymed.ensemble import MetaRows, OofTable, split_uncertainty
from raymed.ensemble.calibration import fit_calibration
from raymed.ensemble.meta_learners.rows import spans
from raymed.evaluation import score_doubt
from raymed.pipeline.members import Member

Array = npt.NDArray[np.float64]


class Doubted(NamedTuple):
    """Doubt [rows] of whose answers, measured how, and which of them are wrong [rows]."""

    whose: str | None  # a member's name; None is the stack
    kind: str  # "mass", "entropy" or "disagreement"
    doubt: Array
    wrong: npt.NDArray[np.bool_]


def doubt_facts(
    oof: OofTable,
    members: Sequence[Member],
    stacked: Array,
    weights: Array,
    *,
    draws: int,
    seed: int,
) -> dict[str, Any]:
    """Score, image by image and out of fold, how well doubts find errors; JSON-ready.

    `members` are those of the table, in its order; `stacked` [samples, classes] what the stack says
    cross-fitted, `weights` [members] how it weighs them. Empty without an evidential member.
    """
    asked = [place for place, member in enumerate(members) if member.recipe.evidential is not None]
    if not asked:
        return {}
    found: list[Doubted] = []
    for place in asked:
        found += _of_member(members[place].name, oof.logits[:, place], oof)
    found += _of_stack(oof, stacked, weights)
    rows = [
        {
            "whose": each.whose,
            "kind": each.kind,
            **asdict(score_doubt(each.doubt, each.wrong, oof.patients, draws=draws, seed=seed)),
        }
        for each in found
    ]
    return {"evidential": rows}


def cross_calibrated(logits: npt.NDArray[np.float32], oof: OofTable) -> Array:
    """Divide one member's logits [samples, classes] by a temperature fitted on the other folds."""
    rows = MetaRows.of(logits[:, None], oof.labels, oof.patients)
    logs, calibrated = rows.of_member(0), np.empty(logits.shape)
    for fold in np.unique(oof.fold):
        inside = oof.fold == fold
        others = (logs[~inside], rows.labels[~inside], rows.weights[~inside])
        calibrated[inside] = fit_calibration("temperature", *others).apply(logs[inside])
    return calibrated


def _of_member(name: str, logits: npt.NDArray[np.float32], oof: OofTable) -> Iterator[Doubted]:
    wrong = logits.argmax(axis=1) != oof.labels
    _, uncertainty, _ = opinion_of(logits)
    yield Doubted(name, "mass", uncertainty, wrong)
    yield Doubted(name, "entropy", entr(cross_calibrated(logits, oof)).sum(axis=1), wrong)


def _of_stack(oof: OofTable, stacked: Array, weights: Array) -> Iterator[Doubted]:
    """Doubt as `predict` tells it; where one member is all there is nobody to disagree."""
    wrong = stacked.argmax(axis=1) != oof.labels
    models = oof.logits.transpose(1, 0, 2)
    parts = [split_uncertainty(models[:, part], weights) for part in spans(len(oof.labels))]
    yield Doubted(None, "entropy", np.concatenate([part.total for part in parts]), wrong)
    if (weights > 0).sum() > 1:
        apart = np.concatenate([part.disagreement for part in parts])
        yield Doubted(None, "disagreement", apart, wrong)
