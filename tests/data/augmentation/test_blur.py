"""Blur along a line: what it keeps, and what it does to a point and an edge."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymed.data.augmentation.blur import line_kernels, smear


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 6), st.floats(0, 1), st.floats(0, math.pi))
def test_kernels_sum_to_one_and_are_the_same_turned_by_half(
    radius: int, share: float, angle: float
) -> None:
    kernel = line_kernels(torch.tensor([share * 2 * radius]), torch.tensor([angle]), radius)[0]
    assert float(kernel.min()) >= 0
    torch.testing.assert_close(kernel.sum(), torch.tensor(1.0))
    torch.testing.assert_close(kernel, kernel.flip(0, 1), atol=1e-5, rtol=0)


def test_a_line_of_no_length_changes_nothing(noise) -> None:
    images = noise(3, 3)
    still = smear(images, torch.zeros(3, 2), 0.1)
    torch.testing.assert_close(still, images, atol=1e-6, rtol=0)


@pytest.mark.parametrize("degrees", [0, 30, 90, 135])
def test_a_point_becomes_a_line_of_its_length_and_angle(degrees: int) -> None:
    # Points spread evenly over a length L have the variance L^2 / 12 along it; what is shared
    # among pixels adds at most 1/4 to that of each axis, and nothing along the axes' own.
    point, length = torch.zeros(1, 1, 41, 41), 12.0
    point[:, :, 20, 20] = 1
    line = torch.tensor([[length / 41, math.radians(degrees)]])
    smeared = smear(point, line, 0.5)[0, 0]
    at = torch.arange(41) - 20.0
    down, across = torch.meshgrid(at, at, indexing="ij")
    turn = torch.tensor(math.radians(degrees))
    along = across * turn.cos() + down * turn.sin()
    aside = down * turn.cos() - across * turn.sin()
    assert length**2 / 12 <= float((smeared * along**2).sum()) * 1.001 < length**2 / 12 + 2
    assert float((smeared * aside**2).sum()) <= 0.26


def test_an_even_image_stays_even_up_to_its_edges(noise) -> None:
    grey = torch.full((4, 1, 20, 20), 0.7)
    line = torch.rand(4, 2, generator=torch.Generator().manual_seed(0)) * 0.1
    torch.testing.assert_close(smear(grey, line, 0.1), grey, atol=1e-6, rtol=0)
