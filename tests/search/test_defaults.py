"""The usual search space of each architecture."""

from pathlib import Path

import pytest
from hypothesis import given, settings

from raymed.config import Recipe, read_experiment
from raymed.config.search import Search
from raymed.config.space import Range, Space
from raymed.search import default_tree, family_of, known_points, parameters_of, recipe_at, space_of
from raymed.search.defaults import stands_on_frozen_batchnorm
from tests.search.spaces import recipes

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))


def ranges(space: Space) -> dict[str, tuple[float, float]]:
    return {leaf.name: leaf.ends for leaf in space.leaves if isinstance(leaf, Range)}  # type: ignore[misc]


@settings(max_examples=30, deadline=None)
@given(recipes)
def test_the_recipe_lies_in_its_own_usual_space_and_is_its_first_point(recipe: Recipe) -> None:
    for sampler in ("tpe", "cmaes"):
        space = space_of(Search.model_validate({"sampler": sampler}), recipe)
        point = parameters_of(space, recipe)
        assert point.exact, point.outside
        assert known_points(space)[0] == point.parameters
        assert recipe_at(space, point.parameters) == recipe


@settings(max_examples=15, deadline=None)
@given(recipes)
def test_every_known_point_is_a_recipe_of_its_own(recipe: Recipe) -> None:
    space = space_of(Search(), recipe)
    found = [recipe_at(space, point) for point in known_points(space)]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("config", CONFIGS, ids=lambda path: path.stem)
def test_every_recipe_of_our_configurations_has_a_usual_space(config: Path) -> None:
    for recipe in read_experiment(config).recipes.values():
        space = space_of(Search(), recipe)
        assert parameters_of(space, recipe).exact
        assert len(known_points(space)) >= 1


@pytest.mark.parametrize(
    ("model", "family", "batchnorm"),
    [
        ("resnet18", "cnn", True),
        ("mobilenetv2_100", "cnn", True),
        ("convnext_atto", "cnn", False),
        ("vit_tiny_patch16_224", "transformer", False),
        ("swin_tiny_patch4_window7_224", "transformer", False),
        ("mobilevit_s", "transformer", True),
        ("hybrid/resnet18", "hybrid", True),
        ("hybrid/convnext_atto", "hybrid", False),
    ],
)
def test_a_family_is_told_by_the_models_name(model: str, family: str, batchnorm: bool) -> None:
    recipe = Recipe(model=model)
    assert family_of(recipe) == family
    assert stands_on_frozen_batchnorm(recipe) == batchnorm
    thawed = recipe.model_copy(update={"freeze_batchnorm": False})
    assert not stands_on_frozen_batchnorm(thawed)


def test_rho_is_a_tenth_on_frozen_batchnorm() -> None:
    frozen = ranges(space_of(Search(), Recipe(model="resnet18")))["sam.rho"]
    alive = ranges(space_of(Search(), Recipe(model="resnet18", pretrained="none")))["sam.rho"]
    assert frozen == (0.001, 0.025)
    assert alive == (0.01, 0.25)


def test_rates_vary_by_a_decade_around_the_recipes_own() -> None:
    found = ranges(space_of(Search(), Recipe(model="resnet18")))
    assert found["phases.0.lr"] == (0.000316, 0.00316)
    assert found["phases.1.lr"] == (0.0000316, 0.000316)
    assert found["phases.1.ratio"] == (0.00316, 0.0316)
    assert "phases.0.ratio" not in found


def test_what_is_switched_off_stays_off() -> None:
    recipe = Recipe.model_validate(
        {"model": "resnet18", "sam": {"rho": 0}, "optimizer": {"weight_decay": 0}}
    )
    assert set(default_tree(recipe)) == {"phases"}


def test_a_probe_is_not_tried_with_sam() -> None:
    probe = {"model": "resnet18", "phases": [{"train": "head", "epochs": 3, "lr": 1e-3}]}
    assert set(default_tree(Recipe.model_validate(probe))) == {"phases", "optimizer"}


def test_a_prototypical_recipe_is_tried_with_sam_on_whole_episodes() -> None:
    recipe = Recipe.model_validate({"model": "resnet18", "head": "prototypical"})
    space = space_of(Search(), recipe)
    climbing = [recipe_at(space, point).sam for point in known_points(space)]
    assert {sam.part for sam in climbing if sam is not None} <= {1.0}
    assert default_tree(recipe)["sam"]["choices"][1]["part"] == 1.0


def test_known_points_hold_what_did_well_on_our_data() -> None:
    tuned = {"model": "mobilenetv2_100", "phases": [{"epochs": 5, "lr": 2e-4, "ratio": 0.1}]}
    space = space_of(Search(), Recipe.model_validate(tuned))
    found = [recipe_at(space, point) for point in known_points(space)]
    assert [recipe.phases[0].lr for recipe in found[:4]] == [2e-4, 1e-4, 2e-4, 1e-4]
    assert [recipe.sam and recipe.sam.rho for recipe in found[:4]] == [None, None, 0.005, 0.005]
    assert {recipe.sam.part for recipe in found if recipe.sam} == {0.25}


def test_the_recipe_with_all_its_rates_up_and_down_is_tried_after_what_did_well() -> None:
    phases = [{"train": "head", "epochs": 1, "lr": 1e-3}, {"epochs": 5, "lr": 1e-4}]
    space = space_of(Search(), Recipe.model_validate({"model": "resnet18", "phases": phases}))
    *_, up, down = (recipe_at(space, point) for point in known_points(space))
    assert [phase.lr for phase in up.phases] == pytest.approx([3e-3, 3e-4])
    assert [phase.lr for phase in down.phases] == pytest.approx([1e-3 / 3, 1e-4 / 3])
    changed = space.recipe.model_dump(exclude={"phases"})
    assert up.model_dump(exclude={"phases"}) == changed


def test_a_known_value_beyond_the_space_is_left_to_the_recipe() -> None:
    tree = {"phases": {0: {"lr": {"low": 1e-5, "high": 5e-5}}}, "dropout": {"choices": [0, 0.1]}}
    recipe = Recipe.model_validate({"model": "m", "phases": [{"epochs": 1, "lr": 2e-5}]})
    space = space_of(Search(space=tree), recipe)
    assert known_points(space) == ({"phases.0.lr": 2e-5, "dropout": 0.0},)


def test_a_recipe_outside_its_own_space_has_no_known_points() -> None:
    space = space_of(Search(space={"size": {"choices": [32, 64]}}), Recipe(model="m"))
    assert known_points(space) == ()
