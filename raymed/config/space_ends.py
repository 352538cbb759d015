"""Whether the recipe takes what a space may give it, tried when the space is read."""

import random
from collections.abc import Iterator, Mapping

from pydantic import ValidationError

from raymed.config.assembling import assemble, complaint
from raymed.config.recipe import Recipe
from raymed.config.space import ABSENT, Choices, Leaf, Pick, Scalar, Space, leaves_of
from raymed.errors import InputError

_DRAWS = 64


def refuse_what_the_recipe_refuses(space: Space) -> None:
    """Build the recipe at every end and choice, and at some points between.

    Raises `InputError` with the leaf that is at fault, or the values that do not go together, and
    the recipe's own words.
    """
    for pick in _tries(space):
        tried: dict[str, Scalar] = {}

        def remembering(leaf: Leaf, pick: Pick = pick, tried: dict[str, Scalar] = tried) -> Scalar:
            value: Scalar = pick(leaf)
            tried[leaf.name] = value
            return value

        try:
            assemble(space, remembering)
        except ValidationError as error:
            raise _refusal(space, tried, complaint(error)) from None


def recipes_tried(space: Space) -> Iterator[Recipe]:
    """Give the recipes of a space that was read: at every end and choice, and some between."""
    return (assemble(space, pick) for pick in _tries(space))


def _tries(space: Space) -> Iterator[Pick]:
    """Give each leaf each of its ends, the others all their first or all their last."""
    for leaf, needs in leaves_of(space.tree):
        for value in leaf.ends:
            for side in (0, -1):
                yield _at_ends({**needs, leaf.name: value}, side)
    chance = random.Random(0)
    for _ in range(_DRAWS):
        yield lambda leaf: _draw(leaf, chance)


def _at_ends(fixed: Mapping[str, Scalar], side: int) -> Pick:
    return lambda leaf: fixed[leaf.name] if leaf.name in fixed else leaf.ends[side]


def _draw(leaf: Leaf, chance: random.Random) -> Scalar:
    """Draw one of a leaf's values."""
    if isinstance(leaf, Choices):
        return leaf.ends[chance.randrange(len(leaf.ends))]
    if leaf.whole:
        return chance.randrange(int(leaf.low), int(leaf.high) + 1, int(leaf.step or 1))
    if leaf.step:
        steps = chance.randint(0, round((leaf.high - leaf.low) / leaf.step))
        return min(leaf.high, leaf.low + leaf.step * steps)
    if leaf.log:
        drawn: float = leaf.low * (leaf.high / leaf.low) ** chance.random()
        return min(leaf.high, drawn)
    return chance.uniform(leaf.low, leaf.high)


def _refusal(space: Space, tried: Mapping[str, Scalar], words: str) -> InputError:
    """Blame the leaf that is refused on its own; else all the values together."""
    for leaf, needs in leaves_of(space.tree):
        if leaf.name not in tried or needs:
            continue
        try:
            assemble(space, _alone(leaf, tried))
        except ValidationError as error:
            if complaint(error) == words:
                value = tried[leaf.name]
                return InputError(f"search.space.{leaf.name}", f"the recipe refuses {value}", words)
    at = ", ".join(f"{name}={value}" for name, value in tried.items())
    return InputError("search.space", f"the recipe refuses {at}", words)


def _alone(wanted: Leaf, tried: Mapping[str, Scalar]) -> Pick:
    """Fill one leaf, and those below it; leave the others to the recipe."""

    def pick(leaf: Leaf) -> object:
        below = leaf.path[: len(wanted.path)] == wanted.path
        return tried[leaf.name] if below and leaf.name in tried else ABSENT

    return pick
