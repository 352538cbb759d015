"""Paired comparisons: what fine-tuning added to a probe, and stacking to the best member."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from scipy.special import softmax

from raymed.ensemble import Candidate, OofTable
from raymed.pipeline.members import Member
from raymed.pipeline.scorer import Probabilities, Scorer


def compare_members(
    scorer: Scorer, members: Sequence[Member], oof: OofTable, stack: Candidate
) -> list[dict[str, Any]]:
    """Compare log loss, patient by patient; JSON-ready.

    Each member that trains all layers meets the best probe of its own model, or the best of all;
    the stack, by its cross-fitted rows, meets its best member.
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

    rows = []
    for member, probe in _trained_and_probe(members, losses):
        scratch = member.recipe.pretrained.source == "none"
        what = "trained from scratch" if scratch else "fine-tuned"
        title = f"{what} '{member.name}' against probe '{probe.name}'"
        meaning = "negative: training all layers helped"
        rows.append(row(title, own[member.name], own[probe.name], meaning))
    best = min(losses, key=losses.__getitem__)
    title = f"stack ({stack.kind}) against its best member '{best}'"
    return [*rows, row(title, stack.probabilities, own[best], "negative: the stack is better")]


def _trained_and_probe(
    members: Sequence[Member], losses: dict[str, float]
) -> list[tuple[Member, Member]]:
    """Pair each member that is no probe with the probe to beat."""
    probes = [member for member in members if member.recipe.is_probe]
    pairs = []
    for member in members:
        rivals = [probe for probe in probes if probe.recipe.model == member.recipe.model] or probes
        if not member.recipe.is_probe and rivals:
            best = min(rivals, key=lambda probe: losses[probe.name])
            pairs.append((member, best))
    return pairs
