"""From a study's trial to a recipe of the space."""

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import BaseTrial

from raymed.config.assembling import filled, recipe_at
from raymed.config.recipe import Recipe
from raymed.config.search import Search
from raymed.config.space import Choices, Leaf, Scalar, Space
from raymed.config.space_reading import read_space
from raymed.search.defaults import default_tree


def space_of(search: Search, recipe: Recipe) -> Space:
    """Give the space that a search varies a recipe in: its own, or the usual one.

    Raises `InputError` where the recipe refuses what the space may give it.
    """
    numbers_only = search.sampler == "cmaes"
    tree = search.space
    if tree is None:
        tree = default_tree(recipe, conditional=not numbers_only)
    return read_space(tree, recipe, numbers_only=numbers_only)


def suggest(space: Space, trial: BaseTrial) -> Recipe:
    """Ask a trial for every leaf that exists there, and make the recipe.

    Raises `InputError` where the recipe refuses a combination that reading the space did not try.
    """
    parameters: dict[str, Scalar] = {}

    def ask(leaf: Leaf) -> Scalar:
        parameters[leaf.name] = _asked(leaf, trial)
        return parameters[leaf.name]

    filled(space.tree, ask)
    return recipe_at(space, parameters)


def _asked(leaf: Leaf, trial: BaseTrial) -> Scalar:
    if isinstance(leaf, Choices):
        return trial.suggest_categorical(leaf.name, leaf.ends)
    if leaf.whole:
        low, high, step = int(leaf.low), int(leaf.high), int(leaf.step or 1)
        return trial.suggest_int(leaf.name, low, high, step=step, log=leaf.log)
    return trial.suggest_float(leaf.name, leaf.low, leaf.high, step=leaf.step, log=leaf.log)


def distributions_of(space: Space) -> dict[str, BaseDistribution]:
    """Give every leaf's distribution by name, as a study stores it."""
    return {leaf.name: _distribution(leaf) for leaf in space.leaves}


def _distribution(leaf: Leaf) -> BaseDistribution:
    if isinstance(leaf, Choices):
        return CategoricalDistribution(leaf.ends)
    if leaf.whole:
        return IntDistribution(int(leaf.low), int(leaf.high), leaf.log, int(leaf.step or 1))
    return FloatDistribution(leaf.low, leaf.high, leaf.log, leaf.step)
