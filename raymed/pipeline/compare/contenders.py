"""The contenders of a comparison: choices, with what they predict and what they cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import numpy as np
from scipy.special import softmax

from raymed.config import Choice, Technique
from raymed.files import read_json
from raymed.pipeline.compare.repeats import Repeat
from raymed.pipeline.members import Member
from raymed.pipeline.scorer import Probabilities
from raymed.pipeline.scores import member_on_test

Milliseconds = Mapping[str, Mapping[str, Mapping[str, float]]]
"""By batch size, `members` or `joined`, and a member's id or a learner's name."""


@dataclass(frozen=True)
class Predicted:
    """Probabilities [samples, classes] in one repeat: out of fold, and on the test split if any."""

    oof: Probabilities
    on_test: Probabilities | None


@dataclass(frozen=True)
class Contender:
    """A choice, what it predicts in each repeat, and facts of it that are JSON-ready.

    `against` names the contender of the same technique that it is compared with.
    """

    technique: Technique
    name: str
    against: str | None
    predicted: tuple[Predicted, ...]
    facts: Mapping[str, Any]


def contenders_of(
    choices: Sequence[Choice],
    repeats: Sequence[Repeat],
    measured: Mapping[str, Mapping[str, Any]],
    milliseconds: Milliseconds,
    sites: Mapping[str, Mapping[str, float]],
) -> list[Contender]:
    """Gather the choices; `measured` is by a member's id, `sites` by its name."""
    predicted: dict[str, tuple[Predicted, ...]] = {}
    found = []
    for choice in choices:
        members = [repeat.members[choice.recipe] for repeat in repeats]
        if choice.recipe not in predicted:
            predicted[choice.recipe] = tuple(
                _predicted(member, repeat) for member, repeat in zip(members, repeats, strict=True)
            )
        facts = _facts(members, [measured[member.id] for member in members], milliseconds)
        found.append(
            Contender(
                choice.technique,
                choice.name,
                choice.against,
                predicted[choice.recipe],
                {"recipe": choice.recipe, **facts, "sites": sites.get(choice.recipe, {})},
            )
        )
    return found


def training_seconds(member: Member) -> float:
    """Read the seconds that a complete member's folds took together."""
    return float(read_json(member.folder.path / "DONE.json")["seconds"])


def peak_bytes(member: Member) -> int | None:
    """Read the most memory that a fold of a member took; an older raymed did not write it down."""
    folds = int(read_json(member.folder.path / "DONE.json")["folds"])
    peaks = [member.folder.fold_facts(fold).get("peak_bytes") for fold in range(folds)]
    return max((peak for peak in peaks if peak is not None), default=None)


def _predicted(member: Member, repeat: Repeat) -> Predicted:
    logits = repeat.oof({member.name: member}).logits[:, 0].astype(np.float64)
    own = np.asarray(softmax(logits, axis=1))
    return Predicted(own, member_on_test(member, repeat.prepared))


def _facts(
    members: Sequence[Member], measured: Sequence[Mapping[str, Any]], milliseconds: Milliseconds
) -> dict[str, Any]:
    """Average over repeats; of the memory give the most. Speed was measured in the first one."""
    sharp = [each["sharpness"] for each in measured if each["sharpness"] is not None]
    peaks = [peak for member in members if (peak := peak_bytes(member)) is not None]
    return {
        "members": [member.id for member in members],
        "train_accuracy": fmean(each["train_accuracy"] for each in measured),
        "sharpness": {key: _mean([each[key] for each in sharp]) for key in sharp[0]}
        if sharp
        else None,
        "training_seconds": fmean(training_seconds(member) for member in members),
        "milliseconds": {
            batch: found["members"][members[0].id] for batch, found in milliseconds.items()
        },
        "peak_bytes": max(peaks, default=None),
    }


def _mean(values: Sequence[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return fmean(known) if len(known) == len(values) else None
