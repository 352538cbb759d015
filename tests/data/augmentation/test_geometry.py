"""Turning, shifting and zooming, against torch's and torchvision's own."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional
from torchvision.transforms import InterpolationMode
from torchvision.transforms.v2 import functional as oracle

from raymed.data.augmentation import augment, draw, geometry
from raymed.data.augmentation.geometry import point_grid, warp


def turned_by(degrees: float) -> torch.Tensor:
    """A matrix that turns a picture clockwise."""
    cos, sin = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return torch.tensor([[[cos, sin, 0.0], [-sin, cos, 0.0]]])


@pytest.mark.parametrize("quarters", [1, 2, 3])
@pytest.mark.parametrize("side", [5, 17])
@pytest.mark.parametrize("outside", ["black", "mirror"])
def test_quarter_turns_are_those_of_rot90(noise, quarters: int, side: int, outside) -> None:
    images = noise(1, 3, side)
    turned = warp(images, turned_by(90 * quarters), outside=outside)
    torch.testing.assert_close(turned, torch.rot90(images, -quarters, (2, 3)), atol=2e-5, rtol=0)


@pytest.mark.parametrize(("across", "down"), [(3, 0), (0, -4), (5, 2)])
def test_a_shift_by_whole_pixels_is_that_of_roll_inside(noise, across: int, down: int) -> None:
    side, images = 16, noise(1, 1, 16)
    lead = torch.tensor([[[1.0, 0, -2 * across / side], [0, 1.0, -2 * down / side]]])
    moved, rolled = warp(images, lead), torch.roll(images, (down, across), (2, 3))
    rows = slice(max(0, down), side + min(0, down))
    columns = slice(max(0, across), side + min(0, across))
    torch.testing.assert_close(
        moved[:, :, rows, columns], rolled[:, :, rows, columns], atol=1e-5, rtol=0
    )


@pytest.mark.parametrize("degrees", [-33.0, 7.0, 120.0])
def test_any_turn_is_torchvisions(noise, degrees: float) -> None:
    images = noise(2, 3, 33)
    expected = oracle.rotate(images, -degrees, InterpolationMode.BILINEAR)
    got = warp(images, turned_by(degrees).expand(2, 2, 3))
    inside = slice(6, -6)  # torchvision's zeros outside begin half a pixel elsewhere
    torch.testing.assert_close(
        got[:, :, inside, inside], expected[:, :, inside, inside], atol=1e-4, rtol=0
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 40), st.integers(1, 40), st.integers(1, 5), st.integers(0, 99))
def test_the_grid_is_that_of_affine_grid(height: int, width: int, count: int, seed: int) -> None:
    matrices = torch.randn(count, 2, 3, generator=torch.Generator().manual_seed(seed))
    expected = functional.affine_grid(matrices, [count, 1, height, width], align_corners=False)
    torch.testing.assert_close(point_grid(matrices, height, width), expected)


@pytest.mark.parametrize("side", [15, 64, 224])
@pytest.mark.parametrize("count", [1, 7, 32])
def test_the_grid_has_the_bits_of_affine_grid_so_that_older_members_train_alike(
    only, generator, side: int, count: int
) -> None:
    shape = torch.Size((count, 1, side, side))
    matrices = draw(shape, only(rotate=180, scale=0.5, shift=0.2), generator).matrices
    expected = functional.affine_grid(matrices, list(shape), align_corners=False)
    assert torch.equal(point_grid(matrices, side, side), expected)


def test_a_processor_that_rounds_otherwise_keeps_the_bits_of_affine_grid(monkeypatch) -> None:
    monkeypatch.setattr(geometry, "_rounds_alike", lambda *_: False)
    monkeypatch.delattr(geometry, "_added_grid")
    matrices = torch.eye(2, 3).repeat(3, 1, 1)
    expected = functional.affine_grid(matrices, [3, 1, 9, 9], align_corners=False)
    assert torch.equal(point_grid(matrices, 9, 9), expected)


def test_mirrored_surroundings_leave_no_black(only, generator) -> None:
    white = torch.ones(20, 1, 16, 16)
    asked = {"rotate": 180, "shift": 0.3}
    assert float(augment(white, only(**asked, outside="mirror"), generator).min()) > 1 - 1e-5
    assert float(augment(white, only(**asked), generator).min()) == 0


def test_a_deformation_moves_places_by_no_more_than_its_share(only, generator) -> None:
    # Each pixel holds its own place, so the values that come out say where they came from.
    side = 64
    ramp = torch.linspace(0, 1, side).expand(50, 1, side, side)
    for images in (ramp, ramp.transpose(2, 3)):
        moved = augment(images, only(elastic=0.03, outside="mirror"), generator)
        apart = (moved - images)[:, :, 4:-4, 4:-4].abs().amax(dim=(1, 2, 3))
        assert float(apart.max()) <= 0.03 * side / (side - 1) + 1e-4
        assert float(apart.max()) > 0.02
        assert len(apart.unique()) == 50


def test_a_deformation_folds_nothing_over(only, generator) -> None:
    side = 64
    ramp = torch.linspace(0, 1, side).expand(200, 1, side, side)
    moved = augment(ramp, only(elastic=0.03, outside="mirror"), generator)
    assert float(moved[:, :, 4:-4, 4:-4].diff(dim=3).min()) > 0  # still rises everywhere
