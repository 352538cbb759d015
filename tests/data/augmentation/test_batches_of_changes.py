"""Augmentation: each sample its own draw, the same from the same generator, in 0..1."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from raymed.config import Augmentation
from raymed.data.augmentation import augment, change, draw

SHAPES = st.sampled_from([(6, 1, 16, 16), (6, 3, 16, 16), (6, 3, 12, 20)])
STRENGTHS = st.builds(
    Augmentation,
    strength=st.sampled_from([0.3, 1.0, 5.0]),
    rotate=st.floats(0, 180),
    shift=st.floats(0, 0.5),
    scale=st.floats(0, 0.9),
    horizontal_flip=st.booleans(),
    vertical_flip=st.booleans(),
    elastic=st.floats(0, 0.03),
    outside=st.sampled_from(["black", "mirror"]),
    brightness=st.floats(0, 1),
    contrast=st.floats(0, 0.9),
    gamma=st.floats(0, 3),
    colour=st.floats(0, 0.9),
    bias=st.floats(0, 0.9),
    blur=st.floats(0, 0.1),
    noise=st.floats(0, 1),
    noise_kind=st.sampled_from(["gaussian", "rician", "speckle"]),
)


def only(**strength: object) -> Augmentation:
    return Augmentation.model_validate({"preset": "none", **strength})


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def noise(count: int = 6, channels: int = 1, side: int = 16) -> torch.Tensor:
    return torch.rand(count, channels, side, side, generator=seeded(99))


def corner(count: int) -> torch.Tensor:
    """Black images with a white upper left quarter: no flip looks like another."""
    images = torch.zeros(count, 1, 16, 16)
    images[:, :, :8, :8] = 1
    return images


def quarters(images: torch.Tensor) -> list[tuple[int, int]]:
    """Which quarter of each image is white: (row, column)."""
    halves = images.reshape(len(images), 2, 8, 2, 8).mean(dim=(2, 4)).flatten(1)
    return [divmod(int(place), 2) for place in halves.argmax(dim=1)]


@settings(max_examples=40, deadline=None)
@given(STRENGTHS, st.integers(0, 9), SHAPES)
def test_augmented_images_keep_shape_and_range_and_are_reproducible(
    strength: Augmentation, seed: int, shape: tuple[int, ...]
) -> None:
    images = torch.rand(shape, generator=seeded(99))
    before = images.clone()
    first = augment(images, strength, seeded(seed))
    assert first.shape == images.shape
    assert first.dtype == torch.float32
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert torch.equal(first, augment(images, strength, seeded(seed)))
    assert torch.equal(images, before)


@settings(max_examples=20, deadline=None)
@given(STRENGTHS, st.booleans())
def test_no_strength_is_the_identity_bit_for_bit(strength: Augmentation, by_name: bool) -> None:
    images = noise(channels=3)
    off = strength.model_copy(update={"strength": 0.0}) if not by_name else only()
    assert off.is_off
    assert torch.equal(augment(images, off, seeded(0)), images)


@settings(max_examples=30, deadline=None)
@given(STRENGTHS, st.permutations(range(6)))
def test_permuted_samples_with_permuted_draws_come_out_permuted(
    strength: Augmentation, order: list[int]
) -> None:
    images, places = noise(channels=3), torch.tensor(order)
    draws = draw(images.shape, strength, seeded(0))
    straight = change(images, draws, strength)[places]
    assert torch.equal(change(images[places], draws.take(places), strength), straight)


def before(images: torch.Tensor, asked: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """What schema version 2 meant before presets: members trained then hold by it."""

    def uniform(*shape: int) -> torch.Tensor:
        return torch.rand(shape, generator=generator) * 2 - 1

    count = len(images)
    angle = uniform(count) * asked.rotate * math.pi / 180
    zoom = 1 + uniform(count) * asked.scale
    shift = uniform(count, 2) * asked.shift * 2
    flips = torch.rand((count, 2), generator=generator)
    horizontal = 1 - 2 * ((flips[:, 0] < 0.5) & asked.horizontal_flip).float()
    vertical = 1 - 2 * ((flips[:, 1] < 0.5) & asked.vertical_flip).float()
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    across = torch.stack([cos * horizontal, -sin * vertical, shift[:, 0]], dim=1)
    down = torch.stack([sin * horizontal, cos * vertical, shift[:, 1]], dim=1)
    matrices = torch.stack([across, down], dim=1)
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    warped = functional.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
    contrast = 1 + asked.contrast * uniform(count, 1, 1, 1)
    changed = (warped - 0.5) * contrast + 0.5 + asked.brightness * uniform(count, 1, 1, 1)
    if asked.noise > 0:
        changed = changed + asked.noise * torch.randn(images.shape, generator=generator)
    return changed.clamp(0, 1)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"noise": 0.1},
        {"vertical_flip": True, "rotate": 90},
        {"rotate": 0, "scale": 0.99},
        {"contrast": 0, "brightness": 0},
    ],
)
def test_recipes_of_before_give_the_bits_of_before(fields, channels: int) -> None:
    asked = Augmentation(**fields)
    pixels = (noise(8, channels, 65) * 255).to(torch.uint8)
    images = pixels.permute(0, 2, 3, 1).contiguous().permute(0, 3, 1, 2).float() / 255
    expected = before(images, asked, seeded(3))
    assert torch.equal(augment(images, asked, seeded(3)), expected)


@pytest.mark.parametrize(
    "strength",
    [
        {"rotate": 20},
        {"shift": 0.2},
        {"scale": 0.3},
        {"brightness": 0.2},
        {"contrast": 0.3},
        {"noise": 0.1},
        {"noise": 0.1, "noise_kind": "rician"},
        {"noise": 0.1, "noise_kind": "speckle"},
        {"gamma": 0.5},
        {"bias": 0.3},
        {"elastic": 0.03},
        {"blur": 0.1},
    ],
)
def test_each_change_is_drawn_for_each_sample_and_each_batch(strength) -> None:
    same = noise(1).expand(6, 1, 16, 16).clone()
    generator = seeded(0)
    first, second = (augment(same, only(**strength), generator) for _ in range(2))
    drawn = [*first, *second, same[0]]
    for place, image in enumerate(drawn):
        assert not any(torch.allclose(image, other, atol=1e-4) for other in drawn[place + 1 :])


@settings(max_examples=20, deadline=None)
@given(STRENGTHS, st.integers(0, 5))
def test_what_a_sample_becomes_does_not_depend_on_its_batch_mates(
    strength: Augmentation, place: int
) -> None:
    images, others = noise(), torch.zeros(6, 1, 16, 16)
    others[place] = images[place]
    alone = augment(others, strength, seeded(0))[place]
    torch.testing.assert_close(alone, augment(images, strength, seeded(0))[place])


def test_by_default_nothing_is_turned_upside_down() -> None:
    assert {row for row, _ in quarters(augment(corner(400), Augmentation(), seeded(0)))} == {0}


def test_about_half_of_the_samples_are_mirrored() -> None:
    flipped = quarters(augment(corner(1000), only(horizontal_flip=True), seeded(0)))
    share = sum(column for _, column in flipped) / 1000
    assert 0.44 < share < 0.56  # 0.5 +- 3.8 standard deviations of 0.0158
    assert {row for row, _ in flipped} == {0}


def test_a_mirrored_image_is_mirrored_exactly() -> None:
    images = noise(40)
    mirrored = augment(images, only(horizontal_flip=True), seeded(0))
    for image, original in zip(mirrored, images, strict=True):
        kept = torch.allclose(image, original, atol=1e-5)
        assert kept or torch.allclose(image, original.flip(-1), atol=1e-5)


def test_both_flips_are_drawn_apart() -> None:
    strength = only(horizontal_flip=True, vertical_flip=True)
    assert len(set(quarters(augment(corner(100), strength, seeded(0))))) == 4


def test_rotation_keeps_to_its_range() -> None:
    # A dot at 6 pixels right of the centre moves at most 6 * sin(20 deg) = 2.05 up or down.
    images = torch.zeros(200, 1, 33, 33)
    images[:, :, 15:18, 21:24] = 1
    turned = augment(images, only(rotate=20), seeded(0))
    rows = (turned.sum(dim=(1, 3)) * torch.arange(33)).sum(1) / turned.sum(dim=(1, 2, 3))
    assert 1.5 < float((rows - 16).abs().max()) < 2.3


def test_shift_is_a_share_of_the_side() -> None:
    images = torch.zeros(200, 1, 32, 32)
    images[:, :, 14:18, 14:18] = 1
    moved = augment(images, only(shift=0.25), seeded(0))
    columns = (moved.sum(dim=(1, 2)) * torch.arange(32)).sum(1) / moved.sum(dim=(1, 2, 3))
    assert 7 < float((columns - 15.5).abs().max()) <= 8.01  # a quarter of 32 pixels


def test_what_moves_in_from_outside_is_black() -> None:
    moved = augment(torch.ones(50, 1, 16, 16), only(shift=0.5), seeded(0))
    assert float(moved.min()) == 0
