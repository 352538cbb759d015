"""The search for a recipe: what is varied, and how a study's trials become recipes."""

from raymed.config.assembling import recipe_at
from raymed.config.space import Choices, Leaf, Option, Range, Scalar, Space
from raymed.search.defaults import Family, default_tree, family_of
from raymed.search.location import Point, parameters_of
from raymed.search.points import known_points, known_recipes
from raymed.search.space import distributions_of, space_of, suggest

__all__ = [
    "Choices",
    "Family",
    "Leaf",
    "Option",
    "Point",
    "Range",
    "Scalar",
    "Space",
    "default_tree",
    "distributions_of",
    "family_of",
    "known_points",
    "known_recipes",
    "parameters_of",
    "recipe_at",
    "space_of",
    "suggest",
]
