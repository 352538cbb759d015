"""Phases: their lengths, their schedules, and what does not go together."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.config import Phase, Recipe, Sam
from raymed.config.phases import share_budget


def lengths(budget: int, *shares: str | int) -> list[int]:
    phases = [{"epochs": share, "lr": 1e-3} for share in shares]
    recipe = Recipe(model="m", budget=budget, phases=phases)
    return [phase.epochs for phase in recipe.phases]


def test_percents_share_the_budget() -> None:
    assert lengths(30, "20%", "30%", "50%") == [6, 9, 15]
    assert lengths(30, "20 %", 7, "80%") == [6, 7, 24]
    assert lengths(10, "33.3%", "33.3%", "33.4%") == [3, 3, 4]
    assert lengths(2, "1%", "99%") == [1, 1]


@given(
    budget=st.integers(6, 500),
    cuts=st.lists(st.integers(1, 99), min_size=1, max_size=5, unique=True),
)
def test_percents_that_make_a_whole_use_the_budget_to_the_epoch(
    budget: int, cuts: list[int]
) -> None:
    edges = [0, *sorted(cuts), 100]
    shares = [b - a for a, b in pairwise(edges)]
    shared = share_budget([{"epochs": f"{share}%"} for share in shares], budget)
    found = [phase["epochs"] for phase in shared]
    assert sum(found) == budget
    assert min(found) >= 1


def test_a_resolved_recipe_is_the_same_whatever_budget_it_came_from() -> None:
    shared = Recipe(model="m", budget=10, phases=[{"epochs": "50%", "lr": 1}] * 2)
    assert shared == Recipe(model="m", phases=[{"epochs": 5, "lr": 1}] * 2)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"phases": [{"epochs": "40%", "lr": 1}]}, "set budget to 1 or more"),
        ({"budget": 1, "phases": [{"epochs": "40%", "lr": 1}] * 2}, "set budget to 2 or more"),
        ({"budget": 9, "phases": [{"epochs": "60%", "lr": 1}] * 2}, "add up to 120 %"),
        ({"phases": [{"epochs": 0, "lr": 1}]}, "greater than or equal to 1"),
        ({"phases": [{"epochs": 1, "lr": 1, "factor": 1.5}]}, "less than or equal to 1"),
        ({"phases": [{"epochs": 1, "lr": 1, "factor": 0}]}, "greater than 0"),
        ({"phases": [{"epochs": 1, "lr": 1, "factor": 0.5, "ratio": 0.1}]}, "not both"),
        (
            {"phases": [{"train": "head", "epochs": 1, "lr": 1, "unfreeze": True}]},
            "nothing to unfreeze",
        ),
        (
            {"phases": [{"epochs": 1, "lr": 1, "schedule": "slanted", "warmup": 0}]},
            "slanted rises first",
        ),
        ({"sam": {"rho": -0.1}}, "greater than or equal to 0"),
        ({"sam": {"rho": float("nan")}}, "finite number"),
        ({"sam": {"every": 3}}, "sam climbs on every step: set variant: looksam"),
        ({"sam": {"variant": "msam", "part": 0.5}}, "msam does not climb on a part"),
        (
            {"sam": {"variant": "msam"}, "optimizer": {"name": "sgd", "momentum": 0}},
            "set optimizer.momentum above 0",
        ),
    ],
)
def test_what_does_not_go_together_is_refused(recipe: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Recipe(model="m", **recipe)


def test_warm_up_and_the_climb_have_defaults_by_kind() -> None:
    warmups = [Phase(epochs=1, lr=1, schedule=kind).warmup for kind in ("one_cycle", "slanted")]
    assert warmups == [0.3, 0.1]
    assert Phase(epochs=1, lr=1).warmup == 0
    rhos = [Sam(variant=kind).rho for kind in ("sam", "asam", "looksam", "msam")]
    assert rhos == [0.05, 1.0, 0.1, 1.0]
    assert Sam(variant="looksam").every == 5
    assert Sam(variant="asam", rho=0.5).rho == 0.5
