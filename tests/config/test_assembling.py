"""From a space and values to the recipe that YAML would give."""

from typing import Any

import pytest

from raymed.config import Phase, Recipe, Sam
from raymed.config.assembling import recipe_at, written_form
from raymed.config.space import Scalar
from raymed.config.space_reading import read_space
from raymed.errors import InputError


def vary(content: Any, parameters: dict[str, Scalar], **recipe: Any) -> Recipe:
    whole = Recipe.model_validate({"model": "resnet18", **recipe})
    return recipe_at(read_space(content, whole), parameters)


def test_what_depends_on_a_varied_field_follows_it() -> None:
    variants = {"sam": {"variant": {"choices": ["sam", "asam"]}}}
    assert vary(variants, {"sam.variant": "asam"}, sam={}).sam == Sam(variant="asam", rho=1.0)
    weights = {"pretrained": {"choices": ["hub", "none"]}}
    assert vary(weights, {"pretrained": "none"}).freeze_batchnorm is False
    schedules = {"phases": {0: {"schedule": {"choices": ["cosine", "one_cycle"]}}}}
    recipe = vary(schedules, {"phases.0.schedule": "one_cycle"})
    assert recipe.phases[0].warmup == 0.3


def test_what_the_recipe_says_of_its_own_stays() -> None:
    rho = {"sam": {"choices": ["none", {"rho": {"low": 0.001, "high": 0.1}}]}}
    own = {"rho": 0.05, "part": 0.25, "last": 0.5}
    recipe = vary(rho, {"sam": "rho", "sam.rho": 0.01}, sam=own, freeze_batchnorm=False)
    assert recipe.sam == Sam(rho=0.01, part=0.25, last=0.5)
    assert recipe.freeze_batchnorm is False
    assert vary(rho, {"sam": "none"}, sam=own).sam is None


def test_phases_are_varied_one_by_one() -> None:
    rates = {"phases": [{}, {"lr": {"low": 1e-5, "high": 1e-3}}]}
    recipe = vary(rates, {"phases.1.lr": 2e-4})
    usual = Recipe(model="resnet18").phases
    assert recipe.phases == (usual[0], Phase(**{**dict(usual[1]), "lr": 2e-4}), usual[2])


def test_a_plain_value_in_the_space_is_fixed() -> None:
    space = {"size": 96, "sam": {"part": 0.25, "rho": {"low": 0.001, "high": 0.1}}}
    recipe = vary(space, {"sam.rho": 0.02})
    assert (recipe.size, recipe.sam) == (96, Sam(rho=0.02, part=0.25))


def test_a_missing_or_unknown_parameter_is_refused_by_name() -> None:
    sizes = {"size": {"choices": [64, 96]}}
    with pytest.raises(InputError, match=r"parameter size: is missing"):
        vary(sizes, {})
    with pytest.raises(InputError, match=r"parameter size: 32 is none of 64, 96"):
        vary(sizes, {"size": 32})


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"pretrained": {"file": "/w.pth"}, "sam": {"variant": "looksam", "every": 3}},
        {"model": "hybrid/resnet18", "freeze_batchnorm": False},
        {"phases": [{"train": "head", "epochs": 2, "lr": 1e-3}]},
        {"phases": [{"epochs": 2, "lr": 1e-3, "schedule": "one_cycle", "warmup": 0.2}]},
    ],
)
def test_the_written_form_reads_back_as_the_recipe(recipe) -> None:
    whole = Recipe.model_validate({"model": "resnet18", **recipe})
    assert Recipe.model_validate(written_form(whole)) == whole
