"""The shipped portfolio: members that differ in more than a seed."""

from pathlib import Path

import pytest

from raymed.config import USES, Recipe, read_experiment

CONFIG = Path(__file__).parents[2] / "configs" / "portfolio.yaml"


@pytest.fixture(scope="module")
def recipes() -> dict[str, Recipe]:
    return dict(read_experiment(CONFIG).recipes)


LEFT_OUT = {"evidential", "prototypical", "center", "mixup", "squeeze_excite"}
"""What was worse on some set of benchmarks/techniques.md, or below the class prior here."""


@pytest.mark.parametrize("technique", USES)
def test_each_technique_that_is_not_left_out_has_a_member_and_more_without_it(
    recipes: dict[str, Recipe], technique: str
) -> None:
    users = [name for name, recipe in recipes.items() if USES[technique](recipe)]

    assert bool(users) == (technique not in LEFT_OUT)
    assert len(users) < len(recipes) / 2


def test_eight_to_twelve_members_differ_pairwise_in_what_they_are_not_in_name_alone(
    recipes: dict[str, Recipe],
) -> None:
    meanings = [str(recipe.meaning()) for recipe in recipes.values()]

    assert 8 <= len(meanings) <= 12
    assert len(set(meanings)) == len(meanings)
    assert len({recipe.model for recipe in recipes.values()}) == 4
    assert len({recipe.head.kind for recipe in recipes.values()}) == 3
