"""Which parts of a recipe go together, and why others don't."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from raymed.config.recipe import Recipe


class Clash(NamedTuple):
    """Parts that make no sense together: a test for them, and what the user is told."""

    meet: "Callable[[Recipe], bool]"
    reason: str


def has_head(kind: str) -> "Callable[[Recipe], bool]":
    """Make a test of a recipe for its kind of head."""
    return lambda recipe: recipe.head.kind == kind


def _soft(recipe: "Recipe") -> bool:
    return recipe.label_smoothing > 0 or recipe.ordinal_smoothing is not None


def _metric(recipe: "Recipe") -> bool:
    return recipe.triplet is not None or recipe.center is not None


CLASHES: Sequence[Clash] = (
    Clash(
        lambda r: r.evidential is not None and has_head("prototypical")(r),
        "evidential needs logits that can be large, but minus a distance is never above 0: set "
        "head: linear or cosine",
    ),
    Clash(
        lambda r: r.evidential is not None and has_head("corn")(r),
        "evidential needs a score of evidence a class, which head: corn has not: set head: linear",
    ),
    Clash(
        lambda r: r.evidential is not None and _soft(r),
        "evidential learns doubt from one true class: set label_smoothing: 0 and "
        "ordinal_smoothing: none",
    ),
    Clash(
        lambda r: r.label_smoothing > 0 and r.ordinal_smoothing is not None,
        "label_smoothing and ordinal_smoothing are two ways to soften a target: give one",
    ),
    Clash(
        lambda r: r.mixup is not None and r.head.margin > 0,
        "a mixed sample has no one class that a margin could be for: set margin: 0 or mixup: none",
    ),
    Clash(
        lambda r: r.mixup is not None and has_head("prototypical")(r),
        "a prototype is the mean of one class, and mixed samples have none: set mixup: none",
    ),
    Clash(
        lambda r: r.mixup is not None and _metric(r),
        "triplet and center pull a sample to its class, and mixed samples have none: set mixup: "
        "none",
    ),
    Clash(
        lambda r: r.is_probe and _metric(r),
        "triplet and center form features, and a probe's are computed once: add a phase that "
        "trains all layers",
    ),
    Clash(
        lambda r: r.is_probe and r.squeeze_excite is not None,
        "a probe trains its head alone, so squeeze_excite would stay the identity: add a phase "
        "that trains all layers",
    ),
    Clash(
        lambda r: r.is_probe and r.mixup is not None and r.mixup.kind != "manifold",
        "a probe never sees its images in training: set mixup.kind: manifold",
    ),
    Clash(
        lambda r: has_head("prototypical")(r) and r.workers > 1,
        "an episode is one process's: set workers: 1",
    ),
    Clash(
        lambda r: has_head("prototypical")(r) and r.sam is not None and r.sam.part < 1,
        "SAM climbs on whole episodes: set sam.part: 1",
    ),
    Clash(
        lambda r: has_head("prototypical")(r) and r.batch_size < 2 * (r.head.shots + 1),
        "an episode has shots + 1 images of each of two classes or more: lower head.shots or "
        "raise batch_size",
    ),
)


def first_clash(recipe: "Recipe") -> str | None:
    """Say why parts of a recipe don't go together; None where they do."""
    return next((clash.reason for clash in CLASHES if clash.meet(recipe)), None)
