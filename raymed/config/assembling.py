"""From a space and a value for each of its leaves to a recipe."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic import ValidationError

from raymed.config.recipe import Recipe
from raymed.config.space import ABSENT, Choices, Leaf, Pick, Range, Scalar, Space, Tree, branches
from raymed.errors import InputError


def filled(tree: Tree, pick: Pick) -> Any:
    """Put a value in the place of every leaf."""
    if isinstance(tree, Choices):
        label = pick(tree)
        return ABSENT if label is ABSENT else filled(tree.option(label).tree, pick)
    if isinstance(tree, Range):
        return pick(tree)
    values = ((key, filled(below, pick)) for key, below in branches(tree))
    present = {key: value for key, value in values if value is not ABSENT}
    if isinstance(tree, list):
        return list(present.values())
    return present if isinstance(tree, Mapping) else tree


def merged(below: Any, above: Any) -> Any:
    """Lay a partial recipe over another: mappings join, phases by index; all else replaces.

    A preset of augmentation starts anew.
    """
    if not isinstance(above, Mapping):
        return above
    if isinstance(below, list | tuple):
        items: list[Any] = list(below)
        for index, value in above.items():
            items[index] = merged(items[index], value)
        return items
    inner = below if isinstance(below, Mapping) and "preset" not in above else {}
    return {**inner, **{key: merged(inner.get(key), value) for key, value in above.items()}}


def value_at(tree: Any, path: Sequence[str | int]) -> Any:
    """Give what lies at a path of a recipe's dump; None where there is nothing."""
    for part in path:
        if isinstance(tree, list | tuple):
            tree = tree[cast(int, part)] if cast(int, part) < len(tree) else None
        else:
            tree = tree.get(part) if isinstance(tree, Mapping) else None
    return tree


def assemble(space: Space, pick: Pick) -> Recipe:
    """Make the recipe in which every leaf has the value that `pick` gives.

    It is checked as one from YAML is. Raises pydantic's `ValidationError`.
    """
    return Recipe.model_validate(merged(space.written, filled(space.tree, pick)))


def recipe_at(space: Space, parameters: Mapping[str, Scalar]) -> Recipe:
    """Make the recipe at a point of the space: a value for each leaf that exists there.

    Raises `InputError` where a parameter is missing or of another space, or the recipe refuses.
    """

    def pick(leaf: Leaf) -> Scalar:
        if leaf.name not in parameters:
            raise InputError(f"parameter {leaf.name}", "is missing")
        value = parameters[leaf.name]
        fault = leaf.fault_of(value) if isinstance(leaf, Range) else None
        if fault is not None:
            raise InputError(f"parameter {leaf.name}", fault)
        return value

    try:
        return assemble(space, pick)
    except ValidationError as error:
        at = ", ".join(f"{name}={value}" for name, value in parameters.items())
        raise InputError(f"search.space at {at}", complaint(error)) from None


def complaint(error: ValidationError) -> str:
    """Give a recipe's first complaint, with its place in the recipe."""
    fault = error.errors(include_url=False)[0]
    where = ".".join(str(part) for part in fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    return f"{where}: {message}" if where else message


def written_form(recipe: Recipe) -> dict[str, Any]:
    """Dump a recipe without the fields that reading fills in alike; all phases stay."""
    tree = _lists(recipe.model_dump())
    parts = [tree, *(value for value in tree.values() if isinstance(value, dict)), *tree["phases"]]
    for part in parts:
        for key in [name for name in part if part is not tree or name != "phases"]:
            value = part.pop(key)
            if not _reads_as(tree, recipe):
                part[key] = value
    return cast(dict[str, Any], tree)


def _reads_as(tree: Any, recipe: Recipe) -> bool:
    try:
        return Recipe.model_validate(tree) == recipe
    except ValidationError:
        return False


def _lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lists(below) for key, below in value.items()}
    return [_lists(below) for below in value] if isinstance(value, tuple) else value
