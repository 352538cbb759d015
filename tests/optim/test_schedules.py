"""A rate's way through a phase."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.config import Phase
from raymed.optim import rate_factor


def factors(steps: int, **phase: Any) -> list[float]:
    return [rate_factor(Phase(epochs=1, lr=1e-3, **phase), step, steps) for step in range(steps)]


def test_warm_up_is_linear_and_starts_above_zero() -> None:
    found = factors(20, warmup=0.25, schedule="constant")
    assert found[:5] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])
    assert set(found[5:]) == {1.0}


def test_cosine_falls_from_one_to_nearly_zero() -> None:
    found = factors(100)
    assert found[0] == 1
    assert found[50] == pytest.approx(0.5)
    assert found[25] == pytest.approx(0.5 * (1 + math.sqrt(0.5)))  # cos(pi / 4)
    assert 0 < found[-1] < 1e-3


def test_cosine_starts_at_one_after_the_warm_up() -> None:
    found = factors(100, warmup=0.1)
    assert found[9] == found[10] == 1
    assert found[55] == pytest.approx(0.5)  # half of the 90 steps that are left


def test_constant_is_constant() -> None:
    assert set(factors(10, schedule="constant")) == {1.0}


@given(
    steps=st.integers(1, 300),
    warmup=st.floats(0, 1, exclude_max=True),
    schedule=st.sampled_from(["constant", "cosine"]),
)
def test_a_rate_stays_within_bounds_and_turns_once(
    steps: int, warmup: float, schedule: str
) -> None:
    found = factors(steps, warmup=warmup, schedule=schedule)
    assert all(0 < factor <= 1 for factor in found)
    peak = found.index(max(found))
    assert found[:peak] == sorted(found[:peak])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert max(found) == 1
