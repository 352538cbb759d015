"""The stack with the members that use a technique, and the stack of all the others."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raymed.config import USES, Technique
from raymed.pipeline.compare.contenders import Contender, Predicted, training_seconds
from raymed.pipeline.compare.joined import STACK, UNMEASURED, Joined, all_of, cross_fitted
from raymed.pipeline.compare.repeats import Repeat
from raymed.pipeline.members import Member
from raymed.pipeline.scorer import Scorer


@dataclass(frozen=True)
class Smaller:
    """The stack of one repeat's members that don't use a technique; `kind` is its learner's."""

    members: tuple[Member, ...]
    kind: str
    predicted: Predicted


def stack_without(technique: Technique, repeat: Repeat) -> Smaller | None:
    """Choose and cross-fit it as the whole one is; None where no member, or each, uses it."""
    left = {
        name: member
        for name, member in repeat.members.items()
        if not USES[technique](member.recipe)
    }
    if not 0 < len(left) < len(repeat.members):
        return None
    crossed, chosen = cross_fitted(repeat, repeat.oof(left))
    level = Scorer(repeat.experiment, repeat.prepared).highest
    own = Predicted(crossed[chosen].probabilities[level], None)
    return Smaller(tuple(left.values()), chosen, own)


def with_and_without(
    technique: Technique, whole: Sequence[Joined], smaller: Sequence[Smaller]
) -> Iterator[Contender]:
    """Give the stack without a technique, and the one with it, which is held against that.

    Both are there for every repeat. Their members are the same but for those that use it.
    """
    used = [
        member.name
        for joined, without in zip(whole, smaller, strict=True)
        for member in joined.members
        if member.id not in {each.id for each in without.members}
    ]
    sides = {
        "without": [(each.members, each.kind, each.predicted) for each in smaller],
        "with": [
            (each.members, each.learners[STACK].kind, each.predicted[STACK]) for each in whole
        ],
    }
    for word, side in sides.items():
        seconds = [sum(map(training_seconds, members)) for members, _, _ in side]
        facts = {
            **UNMEASURED,
            "recipe": all_of([kind for _, kind, _ in side]),
            "training_seconds": sum(seconds) / len(seconds),
            "users": all_of(used),
            "size": len(side[0][0]),
        }
        rival = "stack without" if word == "with" else None
        predicted = tuple(Predicted(each.oof, None) for _, _, each in side)
        yield Contender(technique, f"stack {word}", rival, predicted, facts)
