"""A search space: a recipe, and a partial one over it whose leaves are ranges or choices."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from raymed.config.recipe import Recipe
from raymed.errors import InputError

Scalar = str | int | float | bool | None
"""The value of a parameter, as a study keeps it."""

Tree = Any
"""A partial recipe: fields to trees, phases' indices to trees, a `Leaf`, or a plain value."""

ABSENT = object()
"""What a `Pick` gives for a leaf that is left out."""


@dataclass(frozen=True)
class Range:
    """A leaf with the numbers from `low` to `high`, both included; `whole` ones only, or all.

    `path` leads to its field in the recipe.
    """

    name: str
    path: tuple[str | int, ...]
    low: float
    high: float
    log: bool = False
    step: float | None = None
    whole: bool = False

    @property
    def ends(self) -> tuple[Scalar, Scalar]:
        """The two values that the recipe is tried at when the space is read."""
        return self.low, self.high

    def fault_of(self, value: Any) -> str | None:
        """Say why a value is none of the range; None where it is one."""
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{value!r} is no number"
        if not self.low <= value <= self.high:
            return f"{value:g} is not within {self.low:g} to {self.high:g}"
        steps = (value - self.low) / self.step if self.step else 0.0
        if abs(steps - round(steps)) >= 1e-8:
            return f"{value:g} is not reached from {self.low:g} in steps of {self.step:g}"
        return None


@dataclass(frozen=True)
class Option:
    """One of some choices: a value, or a part of the recipe with leaves of its own."""

    label: Scalar
    tree: Tree


@dataclass(frozen=True)
class Choices:
    """A leaf that is one of several options; a parameter's value is the option's label."""

    name: str
    path: tuple[str | int, ...]
    options: tuple[Option, ...]

    @property
    def ends(self) -> tuple[Scalar, ...]:
        """The values that the recipe is tried at when the space is read."""
        return tuple(option.label for option in self.options)

    def option(self, label: Scalar) -> Option:
        """Find an option by its label."""
        for option in self.options:
            if option.label == label:
                return option
        known = ", ".join(str(option.label) for option in self.options)
        raise InputError(f"parameter {self.name}", f"{label!r} is none of {known}")


Leaf = Range | Choices
Pick = Callable[[Leaf], Any]
"""Gives a leaf its value: of a range a number, of choices a label."""


@dataclass(frozen=True)
class Space:
    """What a study varies about a recipe.

    `written` is the recipe without what reading would fill in alike, so that what depends on a
    varied field follows it: another `sam.variant` brings its own rho.
    """

    recipe: Recipe
    written: Mapping[str, Any]
    tree: Tree

    @property
    def leaves(self) -> tuple[Leaf, ...]:
        """All leaves; those that exist only for some choice follow it."""
        return tuple(leaf for leaf, _ in leaves_of(self.tree))

    @property
    def conditional(self) -> bool:
        """Whether some leaf exists for some choices only."""
        return any(needs for _, needs in leaves_of(self.tree))


def leaves_of(
    tree: Tree, needs: Mapping[str, Scalar] | None = None
) -> Iterator[tuple[Leaf, Mapping[str, Scalar]]]:
    """Give every leaf of a tree, with the choices that it needs to exist."""
    needs = needs or {}
    if isinstance(tree, Range | Choices):
        yield tree, needs
    if isinstance(tree, Choices):
        for option in tree.options:
            yield from leaves_of(option.tree, {**needs, tree.name: option.label})
    for _, below in branches(tree):
        yield from leaves_of(below, needs)


def branches(tree: Tree) -> Sequence[tuple[Any, Tree]]:
    """Give what lies below a part of a tree, by field or index."""
    if isinstance(tree, Mapping):
        return list(tree.items())
    return list(enumerate(tree)) if isinstance(tree, list) else []
