"""Whatever stands in a space, reading it ends in a space or in a refusal with its place."""

from collections.abc import Callable

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from raymed.config import Phase, Recipe, Sam, Search, check_search
from raymed.config.space_reading import read_space
from raymed.errors import InputError

RECIPE = Recipe(model="resnet18")
KEYS = [*Recipe.model_fields, *Sam.model_fields, *Phase.model_fields, "low", "high", "choices"]

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["none", "hub", ""]),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(st.sampled_from([*KEYS, "log", "step", "file", "0"]), below, max_size=4)
    ),
    max_leaves=12,
)


def outcome(reading: Callable[[], object]) -> str | None:
    """Give what a refusal says; None where there is none."""
    try:
        reading()
    except (InputError, ValueError) as error:
        return str(error)
    return None


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.dictionaries(st.sampled_from(list(Recipe.model_fields)), junk, max_size=3))
def test_junk_is_refused_with_its_place(tree) -> None:
    said = outcome(lambda: read_space(tree, RECIPE))
    assert said is None or said.startswith("search.space")


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.sampled_from(list(Recipe.model_fields)), junk, max_size=3))
def test_junk_in_a_search_is_a_value_error(tree) -> None:
    said = outcome(lambda: check_search(RECIPE, Search(space=tree)))
    assert said is None or said.startswith("search.space")
