"""One YAML file is one `Experiment`."""

from collections.abc import Collection
from typing import Literal, Self

from pydantic import Field, model_validator

from raymed.config.cluster import Cluster
from raymed.config.compare import Compare, Transformer
from raymed.config.data import DataConfig
from raymed.config.recipe import Recipe
from raymed.config.search import Search, check_search, searched_recipe
from raymed.config.strict import Strict
from raymed.config.subgroups import ColumnOrSubgroup
from raymed.errors import did_you_mean


class Ensemble(Strict):
    """How members become a stack."""

    meta_learners: tuple[
        Literal["mean", "greedy", "by_class", "logistic", "mlp", "majority"], ...
    ] = Field(
        ("mean", "greedy", "by_class", "logistic", "mlp", "majority"),
        min_length=1,
        description="candidates, simplest first; majority is a reference and never chosen",
    )
    penalty: float = Field(
        1.0, gt=0, description="L2 strength in logistic and by_class, per training patient"
    )
    calibration: Literal["temperature", "vector", "none"] = Field(
        "temperature", description="vector: a scale and a bias a class, which may change the class"
    )
    minimum_members: int = Field(1, ge=1, description="fewer than this and the build fails")

    @model_validator(mode="after")
    def _one_can_be_chosen(self) -> Self:
        if set(self.meta_learners) == {"majority"}:
            raise ValueError("meta_learners: majority is never chosen: add mean")
        return self


class ConformalSets(Strict):
    """The promise of the sets of classes that come with a prediction."""

    method: Literal["lac", "aps"] = Field(
        "lac", description="lac: the smallest sets, may be empty; aps: larger where it is hard"
    )
    alpha: float = Field(0.1, gt=0, lt=1, description="sets hold the truth in 1 - alpha of cases")
    by_class: bool = Field(
        False, description="a threshold a class: the promise holds for rare classes too"
    )


class BinaryFigures(Strict):
    """What else is told of the binary question of `data.binary`."""

    specificity: float | None = Field(
        None, gt=0, lt=1, description="tell the sensitivity where so many others are left in peace"
    )
    prevalence: float | None = Field(
        None, gt=0, lt=1, description="tell the predictive values where so many are positive"
    )


class Evaluate(Strict):
    """How figures get their intervals, and which diagnostics are measured."""

    conformal: ConformalSets = ConformalSets()
    binary: BinaryFigures = BinaryFigures()

    draws: int = Field(1000, ge=100, le=100_000, description="bootstrap resamples of patients")
    sharpness: bool = Field(
        False,
        description="measure each member's sharpness for the report: hundreds of passes over a "
        "few held-out samples; a diagnostic, it selects nothing",
    )
    surfaces: tuple[str, str] | None = Field(
        None,
        description="the two members whose loss surfaces stand side by side; default: the first "
        "two that are no probes",
    )
    gallery: int = Field(
        12,
        ge=0,
        le=48,
        description="how many of the stack's surest mistakes the report shows, and as many right "
        "answers: patients' images, each with a saliency map; 0 shows no images, augmented ones "
        "neither",
    )
    sites: Literal["none", "leave-one-out"] = Field(
        "none",
        description="leave-one-out: train every member once more without each site, and score it "
        "there",
    )
    subgroups: tuple[ColumnOrSubgroup, ...] = Field(
        (), description="columns of the manifest, or of another table, whose groups are scored"
    )

    @model_validator(mode="after")
    def _a_column_stands_once(self) -> Self:
        columns = [each.column for each in self.subgroups]
        twice = {name for name in columns if columns.count(name) > 1}
        if twice:
            raise ValueError(f"subgroups: the column {min(twice)!r} stands twice")
        return self


class Experiment(Strict):
    """Everything one build needs: data, recipes, ensemble, evaluation, cluster."""

    name: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=64)
    seed: int = Field(0, ge=0, lt=2**31)
    data: DataConfig
    recipes: dict[str, Recipe] = Field(min_length=1, description="a member's name: its recipe")
    ensemble: Ensemble = Ensemble()
    evaluate: Evaluate = Evaluate()
    cluster: Cluster = Cluster()
    compare: Compare = Compare()
    search: Search | None = Field(None, description="default: the usual space, 20 trials")

    @model_validator(mode="after")
    def _surfaces_are_of_two_members(self) -> Self:
        named = self.evaluate.surfaces or ()
        for name in named:
            if name not in self.recipes:
                hint = did_you_mean(name, self.recipes) or "name two recipes"
                raise ValueError(f"evaluate.surfaces: no recipe is named {name!r}; {hint}")
        if len(set(named)) < len(named):
            raise ValueError("evaluate.surfaces: a name stands twice; name two recipes")
        return self

    @model_validator(mode="after")
    def _ordinal_recipes_have_ordered_classes(self) -> Self:
        if not self.data.ordinal:
            for name, recipe in self.recipes.items():
                if recipe.wants_order is not None:
                    raise ValueError(
                        f"recipes.{name}: {recipe.wants_order} is for ordered classes: set "
                        "data.ordinal: true where data.classes are stages in order"
                    )
        return self

    @model_validator(mode="after")
    def _what_is_compared_is_there(self) -> Self:
        wish = self.compare
        if wish.recipe is not None and wish.recipe not in self.recipes:
            hint = did_you_mean(wish.recipe, self.recipes) or "name a recipe"
            raise ValueError(f"compare.recipe: no recipe is named {wish.recipe!r}; {hint}")
        if wish.recipe is not None and self.recipes[wish.recipe].is_probe:
            raise ValueError(
                f"compare.recipe: {wish.recipe!r} is a probe; name one that trains all layers"
            )
        name = self.compared_recipe
        if wish.transformer is not None and name is not None:
            self._refuse_no_rival(wish.transformer, name)
        return self

    @model_validator(mode="after")
    def _what_is_searched_is_there(self) -> Self:
        if self.search is not None:
            name = searched_recipe(self.search, self.recipes)
            check_search(self.recipes[name], self.search)
        return self

    def _refuse_no_rival(self, transformer: Transformer, name: str) -> None:
        recipe = self.recipes[name]
        if transformer.model == recipe.timm_model:
            raise ValueError(
                f"compare.transformer: {transformer.model} is the model of {name!r} itself"
            )
        if transformer.pretrained is None and recipe.pretrained.file is not None:
            raise ValueError(
                f"compare.transformer: recipe {name!r} starts from a file for its own model; write "
                "{model: NAME, pretrained: hub, none or {file: PATH}}"
            )

    @property
    def compared_recipe(self) -> str | None:
        """The name of the recipe that `raymed compare` varies; None where all are probes."""
        trained = [name for name, recipe in self.recipes.items() if not recipe.is_probe]
        return self.compare.recipe or next(iter(trained), None)

    def surfaces_among(self, complete: Collection[str]) -> tuple[str, ...]:
        """Choose, among complete members, the two at most whose loss surfaces are shown."""
        if self.evaluate.surfaces is not None:
            return tuple(name for name in self.evaluate.surfaces if name in complete)
        names = [name for name in self.recipes if name in complete]
        whole = [name for name in names if not self.recipes[name].is_probe]
        return tuple((whole or names)[:2])
