"""Paired comparisons: what fine-tuning, SAM, a hybrid's Transformer and stacking each added."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from raymed.ensemble import Candidate, OofTable
from raymed.evaluation import holm
from raymed.pipeline.members import Member
from raymed.pipeline.scorer import Probabilities, Scorer


def compare_members(
    scorer: Scorer, members: Sequence[Member], oof: OofTable, stack: Candidate
) -> list[dict[str, Any]]:
    """Compare log loss, patient by patient, p-values adjusted for being several; JSON-ready.

    Each member that trains all layers meets the best probe of its own model, or the best of all;
    one with SAM meets the same recipe without, a hybrid the best of its CNN alone; and the stack,
    by its cross-fitted rows, meets its best member.
    """
    own = {
        member.name: np.asarray(softmax(oof.logits[:, place].astype(np.float64), axis=1))
        for place, member in enumerate(members)
    }
    losses = {
        name: scorer.log_loss(values, oof.labels, oof.patients) for name, values in own.items()
    }

    def row(title: str, a: Probabilities, b: Probabilities, meaning: str) -> dict[str, Any]:
        difference = scorer.difference(a, b, oof.labels, oof.patients)
        return {
            "title": title,
            "metric": "log_loss",
            "level": scorer.levels[-1],
            "meaning": meaning,
            "difference": vars(difference),
        }

    rows = [
        row(pair.title, own[pair.ours], own[pair.rival], pair.meaning)
        for pair in pairs_of(members, losses)
    ]
    best = min(losses, key=losses.__getitem__)
    title = f"stack ({stack.kind}) against its best member '{best}'"
    rows.append(
        row(title, stack.probabilities[scorer.highest], own[best], "negative: the stack is better")
    )
    adjusted = holm([each["difference"]["p"] for each in rows])
    return [each | {"p_holm": p} for each, p in zip(rows, adjusted, strict=True)]


@dataclass(frozen=True)
class Pair:
    """Two members, by name, of which a negative difference in log loss speaks for the first."""

    ours: str
    rival: str
    title: str
    meaning: str


def pairs_of(members: Sequence[Member], losses: dict[str, float]) -> list[Pair]:
    """List which members meet; `losses` holds each one's log loss by its name."""
    return [
        *_trained_and_probe(members, losses),
        *_sam_and_plain(members),
        *_hybrid_and_cnn(members, losses),
    ]


def _trained_and_probe(members: Sequence[Member], losses: dict[str, float]) -> Iterator[Pair]:
    probes = [member for member in members if member.recipe.is_probe]
    for member in members:
        rivals = [probe for probe in probes if probe.recipe.model == member.recipe.model] or probes
        if member.recipe.is_probe or not rivals:
            continue
        scratch = member.recipe.pretrained.source == "none"
        what = "trained from scratch" if scratch else "fine-tuned"
        best = min((probe.name for probe in rivals), key=losses.__getitem__)
        title = f"{what} '{member.name}' against probe '{best}'"
        yield Pair(member.name, best, title, "negative: training all layers helped")


def _sam_and_plain(members: Sequence[Member]) -> Iterator[Pair]:
    for member in members:
        plain = member.recipe.model_copy(update={"sam": None})
        for rival in members:
            if member.recipe.sam is not None and rival.recipe == plain:
                title = f"SAM '{member.name}' against the same without, '{rival.name}'"
                yield Pair(member.name, rival.name, title, "negative: SAM helped")


def _hybrid_and_cnn(members: Sequence[Member], losses: dict[str, float]) -> Iterator[Pair]:
    for member in members:
        rivals = [
            rival.name
            for rival in members
            if rival.recipe.model == member.recipe.timm_model and not rival.recipe.is_probe
        ]
        if member.recipe.hybrid is None or not rivals:
            continue
        best = min(rivals, key=losses.__getitem__)
        title = f"hybrid '{member.name}' against its CNN alone, '{best}'"
        yield Pair(member.name, best, title, "negative: the Transformer helped")
