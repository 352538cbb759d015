"""A rate's way through a phase."""

import math
from typing import Any

import pytest
import torch
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
    warmup=st.floats(0.001, 1, exclude_max=True),
    schedule=st.sampled_from(["constant", "cosine", "one_cycle", "slanted"]),
)
def test_a_rate_stays_within_bounds_and_turns_once(
    steps: int, warmup: float, schedule: str
) -> None:
    found = factors(steps, warmup=warmup, schedule=schedule)
    assert all(0 < factor <= 1 for factor in found)
    peak = found.index(max(found))
    assert found[:peak] == sorted(found[:peak])
    assert found[peak:] == sorted(found[peak:], reverse=True)
    assert max(found) == 1 or schedule == "one_cycle"  # its peak may lie between two steps


@pytest.mark.parametrize("steps", [10, 100, 333])
@pytest.mark.parametrize("warmup", [0.2, 0.3, 0.5])
def test_one_cycle_is_torchs(steps: int, warmup: float) -> None:
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    oracle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1.0, total_steps=steps, pct_start=warmup, cycle_momentum=False
    )
    expected = []
    for _ in range(steps):
        expected.append(oracle.get_last_lr()[0])
        optimizer.step()
        if len(expected) < steps:
            oracle.step()
    assert factors(steps, schedule="one_cycle", warmup=warmup) == pytest.approx(expected)


def test_a_slanted_triangle_is_that_of_ulmfit() -> None:
    """cut = floor(T * 0.1); p = t / cut, then 1 - (t - cut) / (cut (1 / 0.1 - 1)); ratio 32."""
    found = factors(200, schedule="slanted")
    cut = 20
    for step, factor in enumerate(found):
        share = step / cut if step < cut else 1 - (step - cut) / (cut * (1 / 0.1 - 1))
        assert factor == pytest.approx((1 + share * 31) / 32)
    assert found[20] == 1
    assert found[0] == 1 / 32
