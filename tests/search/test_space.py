"""Trials become recipes, and recipes find their place in the space again."""

import optuna
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raymed.config import Recipe
from raymed.config.search import Search
from raymed.errors import InputError
from raymed.search import (
    Choices,
    distributions_of,
    parameters_of,
    recipe_at,
    space_of,
    suggest,
)
from tests.search.spaces import asked, recipes, trees

law = settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
seeds = st.integers(0, 2**31 - 1)


@law
@given(recipes, trees, seeds)
def test_suggesting_at_a_recipes_own_parameters_gives_the_recipe(recipe, tree, seed) -> None:
    space = space_of(Search(space=tree), recipe)
    for trial in asked(space, seed, 3):
        drawn = suggest(space, trial)
        point = parameters_of(space, drawn)
        assert point.exact, point.outside
        fixed = optuna.trial.FixedTrial(dict(point.parameters))
        assert suggest(space, fixed) == drawn
        assert recipe_at(space, point.parameters) == drawn


@law
@given(recipes, trees, seeds)
def test_every_suggestion_is_a_recipe_that_yaml_reads_back(recipe, tree, seed) -> None:
    space = space_of(Search(space=tree), recipe)
    for trial in asked(space, seed, 3):
        drawn = suggest(space, trial)
        text = yaml.safe_dump(drawn.model_dump(mode="json"))
        assert Recipe.model_validate(yaml.safe_load(text)) == drawn


@law
@given(recipes, trees, seeds)
def test_the_same_seed_suggests_the_same_recipes(recipe, tree, seed) -> None:
    search = Search(space=tree)
    once, again = (
        [
            suggest(space, trial)
            for space in [space_of(search, recipe)]
            for trial in asked(space, seed, 3)
        ]
        for _ in range(2)
    )
    assert once == again


@law
@given(recipes, trees, seeds)
def test_a_trial_holds_leaves_of_the_space_with_their_distributions(recipe, tree, seed) -> None:
    space = space_of(Search(space=tree), recipe)
    (trial,) = asked(space, seed)
    suggest(space, trial)
    known = distributions_of(space)
    assert len(known) == len(space.leaves)
    assert all(known[name] == kind for name, kind in trial.distributions.items())


@law
@given(recipes, trees, seeds)
def test_what_is_outside_is_told_and_what_is_inside_is_kept(recipe, tree, seed) -> None:
    space = space_of(Search(space=tree), recipe)
    (trial,) = asked(space, seed)
    other = suggest(space, trial).model_copy(update={"label_smoothing": 0.3})
    point = parameters_of(space, other)
    assert point.outside == ("label_smoothing: 0.3, where the space has 0.0",)
    assert recipe_at(space, point.parameters) == other.model_copy(update={"label_smoothing": 0.0})


def test_a_recipe_outside_is_told_leaf_by_leaf() -> None:
    tree = {
        "size": {"choices": [64, 96]},
        "dropout": {"low": 0, "high": 0.5},
        "sam": {"choices": ["none", {"rho": {"low": 0.001, "high": 0.01, "log": True}}]},
        "phases": {1: {"epochs": {"low": 2, "high": 8, "step": 2}}},
        "batch_size": 16,
    }
    space = space_of(Search(space=tree), Recipe(model="resnet18"))
    phases = Recipe(model="resnet18").phases
    phases = (phases[0], phases[1].model_copy(update={"epochs": 5}), phases[2])
    recipe = Recipe.model_validate(
        {"model": "resnet18", "size": 224, "dropout": 0.2, "sam": {"rho": 0.1}, "phases": phases}
    )
    point = parameters_of(space, recipe)
    assert point.parameters == {"dropout": 0.2}
    assert set(point.outside) == {
        "size: 224 is none of 64, 96",
        "sam: {'variant': 'sam', 'rho': 0.1, 'every': 1, 'alpha': 0.7, ... is none of none, rho "
        "(sam.rho: 0.1 is not within 0.001 to 0.01)",
        "phases.1.epochs: 5 is not reached from 2 in steps of 2",
        "batch_size: 32, where the space has 16",
    }


def test_a_leaf_exists_only_where_its_choice_is_made() -> None:
    tree = {"sam": {"choices": ["none", {"rho": {"low": 0.001, "high": 0.1}}]}}
    space = space_of(Search(space=tree), Recipe(model="resnet18"))
    assert [leaf.name for leaf in space.leaves] == ["sam", "sam.rho"]
    for trial in asked(space, 1, 20):
        recipe = suggest(space, trial)
        assert ("sam.rho" in trial.params) == (recipe.sam is not None)


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (12, "12 is not reached from 8 in steps of 8"),
        (4, "4 is not within 8 to 64"),
        ("8", "'8' is no number"),
        (True, "True is no number"),
    ],
)
def test_a_parameter_of_another_space_is_refused(value, said: str) -> None:
    tree = {"hybrid": {"embedding_dim": {"low": 8, "high": 64, "step": 8}}}
    space = space_of(Search(space=tree), Recipe(model="hybrid/resnet18"))
    with pytest.raises(InputError, match=rf"^parameter hybrid\.embedding_dim: {said}$"):
        recipe_at(space, {"hybrid.embedding_dim": value})


@pytest.mark.parametrize("sampler", ["tpe", "random", "cmaes"])
def test_each_sampler_has_a_usual_space_to_work_on(sampler: str) -> None:
    search = Search.model_validate({"sampler": sampler})
    space = space_of(search, Recipe(model="resnet18"))
    assert any(isinstance(leaf, Choices) for leaf in space.leaves) == (sampler != "cmaes")
