"""A run's ROC and precision-recall curves: of the stack, and of its best member beside it."""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.special import softmax

from raymed.evaluation import (
    Curve,
    Question,
    ask,
    choose_threshold,
    draw_curves,
    operating_point,
)
from raymed.evaluation.curves import GRID
from raymed.pipeline.analysis import Analysis
from raymed.pipeline.members import Member
from raymed.pipeline.scorer import Labels, Patients, Probabilities
from raymed.pipeline.scores import member_on_test

POINTS = 200
"""Of a curve, at most."""
DIGITS = 5


@dataclass(frozen=True)
class _Split:
    """The rows of one split, as the stack and as its best member predict them."""

    labels: Labels
    patients: Patients
    stack: Probabilities
    member: Probabilities


@dataclass(frozen=True)
class _Asked:
    """One question: these classes against all others."""

    title: str
    classes: tuple[int, ...]
    is_binary: bool  # the experiment's own question, else a class against the rest

    @property
    def sides(self) -> tuple[str, str]:
        """Name the patients of both sides, as warnings do."""
        if self.is_binary:
            return "of the positive classes", "of the other classes"
        return f"of class {self.title!r}", f"of classes other than {self.title!r}"


def curve_facts(analysis: Analysis, members: Sequence[Member]) -> dict[str, Any]:
    """Draw the curves of every question at the highest level, JSON-ready.

    The questions are the experiment's binary one and each class against the rest; of two classes
    the binary question, where there is one, says all. The best member has the least out-of-fold
    log loss. A binary question has the threshold chosen on all out-of-fold rows of the stack.
    """
    member, splits = _splits(analysis, members)
    return {
        "level": analysis.scorer.levels[-1],
        "member": member,
        "grid": GRID.tolist(),
        "questions": [_question(analysis, asked, splits) for asked in _questions(analysis)],
    }


def _splits(analysis: Analysis, members: Sequence[Member]) -> tuple[str, dict[str, _Split | None]]:
    """Name the best member, and gather the rows of each split."""
    scorer, oof = analysis.scorer, analysis.oof
    own = [softmax(each.astype(np.float64), axis=1) for each in oof.logits.swapaxes(0, 1)]
    losses = [scorer.log_loss(each, oof.labels, oof.patients) for each in own]
    best = int(np.argmin(losses))
    splits: dict[str, _Split | None] = {
        "oof": _Split(oof.labels, oof.patients, analysis.stacked[scorer.highest], own[best]),
        "test": None,
    }
    on_test = member_on_test(members[best], scorer.prepared)
    if analysis.on_test is not None and on_test is not None:
        manifest = scorer.prepared.manifest
        test = manifest.is_test
        stack = analysis.on_test[scorer.highest]
        splits["test"] = _Split(manifest.labels[test], manifest.patients[test], stack, on_test)
    return members[best].name, splits


def _questions(analysis: Analysis) -> Iterator[_Asked]:
    binary = analysis.scorer.experiment.data.binary
    classes = analysis.scorer.prepared.manifest.classes
    if binary is not None:
        positive = tuple(classes.index(name) for name in binary.positive)
        yield _Asked(" or ".join(binary.positive), positive, is_binary=True)
    if binary is None or len(classes) > 2:
        for index, name in enumerate(classes):
            yield _Asked(name, (index,), is_binary=False)


def _question(
    analysis: Analysis, asked: _Asked, splits: dict[str, _Split | None]
) -> dict[str, Any]:
    level = analysis.scorer.levels[-1]

    def put(split: _Split, probabilities: Probabilities) -> Question:
        return ask(probabilities, split.labels, split.patients, asked.classes, level=level)

    oof = splits["oof"]
    assert oof is not None
    own = put(oof, oof.stack)
    threshold = choose_threshold(own.scores, own.is_positive) if asked.is_binary else None
    drawn = {
        name: split
        and _drawn(analysis, asked, put(split, split.stack), put(split, split.member), threshold)
        for name, split in splits.items()
    }
    return {"title": asked.title, "binary": asked.is_binary, "threshold": threshold, **drawn}


def _drawn(
    analysis: Analysis, asked: _Asked, stack: Question, member: Question, threshold: float | None
) -> dict[str, Any]:
    """Draw one split: the stack's curves with bands, its best member's without."""
    experiment = analysis.scorer.experiment
    own = draw_curves(stack, *asked.sides, draws=experiment.evaluate.draws, seed=experiment.seed)
    other = draw_curves(member, *asked.sides, draws=0)
    return {
        "positive": float(stack.is_positive.mean()),
        "point": None if threshold is None else asdict(operating_point(stack, threshold)),
        "roc": _stored(own.roc, other.roc),
        "precision_recall": _stored(own.precision_recall, other.precision_recall),
    }


def _stored(own: Curve, member: Curve) -> dict[str, Any]:
    return {
        **_thinned(own),
        "area": asdict(own.area),
        "low": None if own.low is None else own.low.round(DIGITS).tolist(),
        "high": None if own.high is None else own.high.round(DIGITS).tolist(),
        "warning": own.warning,
        "member": {**_thinned(member), "area": member.area.value},
    }


def _thinned(curve: Curve) -> dict[str, list[float]]:
    """Keep so many points that a figure shows no less."""
    last = len(curve.x) - 1
    kept = np.unique(np.linspace(0, last, min(POINTS, last + 1)).round().astype(int))
    return {
        "x": curve.x[kept].round(DIGITS).tolist(),
        "y": curve.y[kept].round(DIGITS).tolist(),
    }
