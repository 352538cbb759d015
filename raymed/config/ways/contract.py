"""What every technique's ways are made of."""

from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError

from raymed.config.experiment import Experiment
from raymed.config.recipe import Recipe


@dataclass(frozen=True)
class Way:
    """A choice whose recipe has no name yet; without a recipe it is left out for a reason."""

    name: str
    suffix: str  # of the recipe's name, where it is none of the experiment's
    recipe: Recipe | None
    against: str | None = None
    reason: str = ""


def changed_way(
    name: str, suffix: str, base: Recipe, changes: dict[str, Any], against: str | None = None
) -> Way:
    """Change a recipe; where it refuses that, its words are the reason."""
    try:
        recipe = Recipe.model_validate({**dict(base), **changes})
    except ValidationError as error:
        said = error.errors()[0]["msg"].removeprefix("Value error, ")
        return Way(name, suffix, None, against, said)
    return Way(name, suffix, recipe, against)


def alike(base: Recipe, experiment: Experiment, free: set[str]) -> list[Recipe]:
    """List the experiment's recipes that equal `base` but for the fields in `free`."""

    def fixed(recipe: Recipe) -> dict[str, Any]:
        return recipe.model_dump(exclude=free)

    return [other for other in experiment.recipes.values() if fixed(other) == fixed(base)]


def epochs_of(recipe: Recipe) -> int:
    """Add up the epochs of all phases."""
    return sum(phase.epochs for phase in recipe.phases)
