"""From a recipe to where it lies in a space: the other way round than `suggest`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from raymed.config.assembling import assemble, filled, merged, value_at
from raymed.config.recipe import Recipe
from raymed.config.space import Choices, Leaf, Pick, Range, Scalar, Space, Tree, branches


@dataclass(frozen=True)
class Point:
    """The parameters at which a space gives a recipe, and what it cannot give.

    Where `outside` is empty the space gives exactly the recipe. Else `parameters` holds those
    leaves that can be read off it, and `outside` says of each other difference what it is.
    """

    parameters: Mapping[str, Scalar]
    outside: tuple[str, ...] = ()

    @property
    def exact(self) -> bool:
        """Whether the space gives the recipe itself."""
        return not self.outside


def parameters_of(space: Space, recipe: Recipe) -> Point:
    """Find the parameters at which the space gives the recipe."""
    target = recipe.model_dump()
    parameters, outside = _located(space.tree, space, recipe, target)
    faults = list(outside.values())
    faults += _rest(space, target, parameters, list(outside))
    return Point(parameters, tuple(faults))


_Path = tuple[str | int, ...]
_Located = tuple[dict[str, Scalar], dict[_Path, str]]


def _located(tree: Tree, space: Space, recipe: Recipe, target: Mapping[str, Any]) -> _Located:
    """Read the leaves of a tree off a recipe; by path, say which cannot be read."""
    if isinstance(tree, Range):
        value = value_at(target, tree.path)
        fault = tree.fault_of(value)
        if fault is not None:
            return {}, {tree.path: f"{tree.name}: {fault}"}
        return {tree.name: value}, {}
    if isinstance(tree, Choices):
        return _chosen(tree, space, recipe, target)
    parameters: dict[str, Scalar] = {}
    outside: dict[_Path, str] = {}
    for _, below in branches(tree):
        read, unread = _located(below, space, recipe, target)
        parameters.update(read)
        outside.update(unread)
    return parameters, outside


def _chosen(choices: Choices, space: Space, recipe: Recipe, target: Mapping[str, Any]) -> _Located:
    """Find the option that, put in its place, leaves the recipe as it is."""
    below = value_at(space.written, choices.path)
    near: list[str] = []
    for option in choices.options:
        parameters, outside = _located(option.tree, space, recipe, target)
        if outside:
            near += outside.values()
            continue
        value = merged(below, filled(option.tree, _given(parameters)))
        try:
            candidate = Recipe.model_validate(_placed(target, choices.path, value))
        except ValidationError:
            continue
        if candidate == recipe:
            return {choices.name: option.label, **parameters}, {}
    value, known = value_at(target, choices.path), ", ".join(map(str, choices.ends))
    why = f" ({', '.join(near)})" if near else ""
    return {}, {choices.path: f"{choices.name}: {_short(value)} is none of {known}{why}"}


def _given(parameters: Mapping[str, Scalar]) -> Pick:
    return lambda leaf: parameters[leaf.name]


def _placed(tree: Any, path: Sequence[str | int], value: Any) -> Any:
    """Put a value in the place of what lies at a path."""
    if not path:
        return value
    if isinstance(tree, list | tuple):
        return [
            _placed(below, path[1:], value) if index == path[0] else below
            for index, below in enumerate(tree)
        ]
    return {**(tree or {}), path[0]: _placed((tree or {}).get(path[0]), path[1:], value)}


def _rest(
    space: Space, target: Any, parameters: Mapping[str, Scalar], unread: Sequence[_Path]
) -> list[str]:
    """Say where the recipe at the parameters differs, but for the leaves that were not read."""

    def pick(leaf: Leaf) -> Scalar:
        return parameters.get(leaf.name, leaf.ends[0])

    try:
        built = assemble(space, pick).model_dump()
    except ValidationError:  # only where an unread leaf's first value goes with nothing else
        return []
    return [
        f"{'.'.join(map(str, path))}: {_short(theirs)}, where the space has {_short(ours)}"
        for path, ours, theirs in _differences(built, target)
        if not any(_on_one_line(path, other) for other in unread)
    ]


def _on_one_line(one: _Path, other: _Path) -> bool:
    length = min(len(one), len(other))
    return one[:length] == other[:length]


def _differences(ours: Any, theirs: Any, path: _Path = ()) -> Iterator[tuple[_Path, Any, Any]]:
    both = (ours, theirs)
    if all(isinstance(each, Mapping) for each in both):
        for key in ours:
            yield from _differences(ours[key], theirs[key], (*path, key))
    elif all(isinstance(each, tuple) for each in both) and len(ours) == len(theirs):
        for index, pair in enumerate(zip(ours, theirs, strict=True)):
            yield from _differences(*pair, (*path, index))
    elif ours != theirs:
        yield path, ours, theirs


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
