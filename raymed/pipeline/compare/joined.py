"""The ensemble in a comparison: single, mean and stack over all members of a repeat."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np

from raymed.ensemble import (
    Candidate,
    MetaLearner,
    MetaRows,
    OofTable,
    choose,
    cross_fit,
    cross_fit_single,
    fit_meta_learner,
)
from raymed.pipeline.compare.contenders import Contender, Milliseconds, Predicted, training_seconds
from raymed.pipeline.compare.repeats import Repeat
from raymed.pipeline.members import Member
from raymed.pipeline.scorer import Scorer
from raymed.pipeline.scores import member_on_test, stack_on_test
from raymed.pipeline.stacking import meta_settings

MEAN, STACK = "mean", "stack"
UNMEASURED: Mapping[str, Any] = {
    "train_accuracy": None,
    "sharpness": None,
    "peak_bytes": None,
    "sites": {},
}
"""What only a member has, not several of them joined."""


@dataclass(frozen=True)
class Joined:
    """One repeat's members joined: the best single one, their mean, the chosen stack.

    Out of fold each is cross-fitted: the single one, too, is chosen on the other folds. What
    predicts is chosen, and fitted, on all rows.
    """

    members: tuple[Member, ...]
    best: Member
    learners: Mapping[str, MetaLearner]  # mean and stack
    single: Predicted
    predicted: Mapping[str, Predicted]  # of the learners


def join_repeat(repeat: Repeat) -> Joined:
    """Fit and cross-fit what joins the members of one repeat."""
    oof, members = repeat.oof(repeat.members), tuple(repeat.members.values())
    level = Scorer(repeat.experiment, repeat.prepared).highest
    settings = meta_settings(repeat.experiment)
    crossed, chosen = cross_fitted(repeat, oof)
    names = {MEAN: MEAN, STACK: chosen}
    learners = {
        name: fit_meta_learner(kind, oof.logits, oof.labels, oof.patients, settings)
        for name, kind in names.items()
    }
    rows = MetaRows.of(oof.logits, oof.labels, oof.patients)
    best = members[int(np.argmin(rows.member_losses))]
    on_test = {
        name: stack_on_test(learner, members, repeat.prepared) for name, learner in learners.items()
    }
    return Joined(
        members,
        best,
        learners,
        Predicted(
            cross_fit_single(oof).probabilities[level], member_on_test(best, repeat.prepared)
        ),
        {
            name: Predicted(
                crossed[kind].probabilities[level],
                None if (found := on_test[name]) is None else found[level],
            )
            for name, kind in names.items()
        },
    )


def cross_fitted(repeat: Repeat, oof: OofTable) -> tuple[Mapping[str, Candidate], str]:
    """Cross-fit the experiment's meta-learners and the mean, by kind; and name the chosen one."""
    wish, settings = repeat.experiment.ensemble, meta_settings(repeat.experiment)
    kinds = dict.fromkeys([*wish.meta_learners, MEAN])
    crossed = {kind: cross_fit(kind, oof, settings) for kind in kinds}
    return crossed, choose([crossed[kind] for kind in wish.meta_learners], oof).kind


def joined_contenders(joined: Sequence[Joined], milliseconds: Milliseconds) -> list[Contender]:
    """Hold mean and stack against the best single member."""
    first = joined[0]
    single = {
        **UNMEASURED,
        "recipe": all_of([each.best.name for each in joined]),
        "training_seconds": fmean(training_seconds(each.best) for each in joined),
        "milliseconds": {b: found["members"][first.best.id] for b, found in milliseconds.items()},
    }
    name = "best single member"
    found = [Contender("ensemble", name, None, tuple(each.single for each in joined), single)]
    for way in (MEAN, STACK):
        facts = {
            **UNMEASURED,
            "recipe": all_of([each.learners[way].kind for each in joined]),
            "training_seconds": fmean(
                sum(training_seconds(member) for member in each.members) for each in joined
            ),
            "milliseconds": {b: found_["joined"][way] for b, found_ in milliseconds.items()},
        }
        predicted = tuple(each.predicted[way] for each in joined)
        found.append(Contender("ensemble", way, name, predicted, facts))
    return found


def all_of(names: Sequence[str]) -> str:
    """List names, each once."""
    return ", ".join(dict.fromkeys(names))
