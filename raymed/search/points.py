"""Points to try early: what did well on our data (docs/techniques), and rates up and down."""

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from raymed.config.assembling import merged, recipe_at, written_form
from raymed.config.recipe import Recipe
from raymed.config.space import Scalar, Space
from raymed.errors import InputError
from raymed.search.defaults import usual_rho
from raymed.search.location import parameters_of

_RATES = {"head": 1e-3, "all": 1e-4}
_PROBE_RATE, _SCRATCH_RATE = 3e-3, 1e-3
_SCRATCH_RHO = 0.2
_UP_AND_DOWN = (3.0, 1 / 3)


def known_points(space: Space) -> tuple[Mapping[str, Scalar], ...]:
    """Give parameters worth a trial: the recipe's own first, then those of `known_recipes`.

    A value that the space does not reach, or does not vary, is left to the recipe. A
    recipe that lies outside its own space is left out, with the points that start from it.
    """
    own = parameters_of(space, space.recipe)
    if not own.exact:
        return ()
    points = [own.parameters]
    for recipe in known_recipes(space.recipe):
        point = {**own.parameters, **parameters_of(space, recipe).parameters}
        try:
            found = parameters_of(space, recipe_at(space, point))
        except InputError:
            continue
        if found.parameters not in points:
            points.append(found.parameters)
    return tuple(points)


def known_recipes(recipe: Recipe) -> tuple[Recipe, ...]:
    """Give a recipe's variants that did well on our data, for its architecture.

    After them the recipe with all its rates three times as high, and a third: no other setting
    matters as much (Bengio 2012, arXiv 1206.5533), and twelve random points may miss it.
    """
    written = written_form(recipe)
    found = []
    for changes in _changes(recipe):
        try:
            found.append(Recipe.model_validate(merged(written, changes)))
        except ValidationError:
            continue
    return tuple(each for each in found if each != recipe)


def _changes(recipe: Recipe) -> Iterator[dict[str, Any]]:
    yield from _good(recipe)
    for factor in _UP_AND_DOWN:
        rates = {index: {"lr": phase.lr * factor} for index, phase in enumerate(recipe.phases)}
        yield {"phases": rates}


def _good(recipe: Recipe) -> Iterator[dict[str, Any]]:
    rates = {"phases": _phases(recipe)}
    yield rates
    if recipe.is_probe:
        return
    scratch = recipe.pretrained.source == "none"
    rho = _SCRATCH_RHO if scratch else usual_rho(recipe)
    sam = {"variant": "sam", "rho": rho, "part": 0.25, "last": 0.5, "every": 1}
    yield {"sam": sam}
    yield {**rates, "sam": sam}


def _phases(recipe: Recipe) -> dict[int, dict[str, float]]:
    """Give each phase the rate that did well; a hybrid's CNN the one it has alone."""
    if recipe.is_probe:
        return {index: {"lr": _PROBE_RATE} for index in range(len(recipe.phases))}
    if recipe.pretrained.source == "none":
        return {index: {"lr": _SCRATCH_RATE} for index in range(len(recipe.phases))}
    whole = [index for index, phase in enumerate(recipe.phases) if phase.train == "all"]
    rates = {}
    for index, phase in enumerate(recipe.phases):
        rate = _RATES[phase.train]
        if index in whole[1:]:  # the first all-layer phase is the fast one: progressive.md
            rate /= 10
        faster = recipe.hybrid is not None and phase.train == "all"
        rates[index] = {"lr": rate * phase.new_layers if faster else rate}
    return rates
