"""What `raymed compare` holds against each other: recipes that differ in one technique."""

from collections.abc import Mapping
from dataclasses import dataclass

from raymed.config.compare import Technique
from raymed.config.experiment import Experiment
from raymed.config.recipe import Recipe
from raymed.config.ways import WAYS
from raymed.errors import InputError


@dataclass(frozen=True)
class Choice:
    """One way to go about a technique: a row of the comparison.

    `recipe` names the recipe that goes this way; `against` the choice of the same technique that
    it is compared with, None for that one itself.
    """

    technique: Technique
    name: str
    recipe: str
    against: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """A choice that is not compared, and why."""

    technique: Technique
    name: str
    reason: str


@dataclass(frozen=True)
class Variants:
    """What is compared: choices, and by name the recipes that they need."""

    recipes: Mapping[str, Recipe]
    choices: tuple[Choice, ...]
    left_out: tuple[LeftOut, ...]

    def without(self, recipes: Mapping[str, str]) -> "Variants":
        """Leave recipes out, each for a reason, and with them the choices that need them."""
        gone = [each for each in self.choices if each.recipe in recipes]
        return Variants(
            {name: recipe for name, recipe in self.recipes.items() if name not in recipes},
            tuple(each for each in self.choices if each not in gone),
            self.left_out
            + tuple(LeftOut(each.technique, each.name, recipes[each.recipe]) for each in gone),
        )


def derive_variants(experiment: Experiment) -> Variants:
    """Derive them from the recipe that `compare` names.

    A variant that equals a recipe of the experiment goes by its name, and so is its member. The
    ensemble is no variant of a recipe: it joins them all. Raises `InputError` where every recipe
    is a probe, which has nothing to vary.
    """
    recipes: dict[str, Recipe] = {}
    choices: list[Choice] = []
    left_out: list[LeftOut] = []
    for technique in experiment.compare.techniques:
        if technique == "ensemble":
            continue
        base = _base(experiment)
        for way in WAYS[technique](experiment.recipes[base], experiment):
            if way.recipe is None:
                left_out.append(LeftOut(technique, way.name, way.reason))
                continue
            known = {**experiment.recipes, **recipes}
            name = _name_of(way.recipe, f"{base} {way.suffix}", known)
            recipes[name] = way.recipe
            choices.append(Choice(technique, way.name, name, way.against))
    return Variants(recipes, tuple(choices), tuple(left_out))


def _base(experiment: Experiment) -> str:
    name = experiment.compared_recipe
    if name is None:
        raise InputError(
            "compare.recipe", "every recipe is a probe", "add one that trains all layers"
        )
    return name


def _name_of(recipe: Recipe, wish: str, known: Mapping[str, Recipe]) -> str:
    for name, other in known.items():
        if other == recipe:
            return name
    while wish in known:
        wish += "'"
    return wish
