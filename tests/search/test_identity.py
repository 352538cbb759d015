"""A study of another experiment is refused, and what differs is named."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from raymed.errors import InputError
from raymed.search import SharedStudy
from tests.search.conftest import IDENTITY

Driver = Callable[..., SharedStudy]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"manifest": "x"}, "the manifest (images, labels, patients or classes)"),
        ({"folds": "x"}, "the folds"),
        ({"seed": 8}, "the seed"),
        ({"recipe_schema": 2}, "the version of the recipe's schema"),
        ({"space": "x"}, "the search space"),
        ({"folds": "x", "seed": 8}, "the folds, the seed"),
    ],
)
def test_what_differs_is_named(driver: Driver, change: dict[str, object], words: str) -> None:
    driver()

    with pytest.raises(InputError) as refused:
        driver(identity=replace(IDENTITY, **change))

    assert refused.value.fault == (f"holds a study of another experiment: different are {words}")
    driver()  # nothing is lost


def test_another_metric_or_direction_is_another_experiment(driver: Driver) -> None:
    driver()

    for objectives in ({"log_loss": "maximize"}, {"auc": "maximize"}):
        with pytest.raises(InputError, match="what is optimized"):
            driver(objectives=objectives)


def test_the_order_of_a_spaces_keys_is_no_difference() -> None:
    first, second = ({"a": 1, "b": 2}, {"b": 2, "a": 1})

    assert IDENTITY.of("m", "f", 0, 1, first) == IDENTITY.of("m", "f", 0, 1, second)
