"""Augmentation: each sample its own draw, the same from the same generator, in 0..1."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from raymed.config import Augmentation
from raymed.data.augmentation import augment

OFF = {
    "rotate": 0,
    "shift": 0,
    "scale": 0,
    "horizontal_flip": False,
    "brightness": 0,
    "contrast": 0,
    "noise": 0,
}
STRENGTHS = st.builds(
    Augmentation,
    rotate=st.floats(0, 180),
    shift=st.floats(0, 0.5),
    scale=st.floats(0, 0.9),
    horizontal_flip=st.booleans(),
    vertical_flip=st.booleans(),
    brightness=st.floats(0, 1),
    contrast=st.floats(0, 0.9),
    noise=st.floats(0, 1),
)


def only(**strength: object) -> Augmentation:
    return Augmentation(**{**OFF, **strength})


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
@given(STRENGTHS, st.integers(0, 9), st.sampled_from([1, 3]))
def test_augmented_images_keep_shape_and_range_and_are_reproducible(
    strength: Augmentation, seed: int, channels: int
) -> None:
    images = noise(channels=channels)
    before = images.clone()
    first = augment(images, strength, seeded(seed))
    assert first.shape == images.shape
    assert first.dtype == torch.float32
    assert 0 <= float(first.min()) <= float(first.max()) <= 1
    assert torch.equal(first, augment(images, strength, seeded(seed)))
    assert torch.equal(images, before)


def test_no_strength_is_nearly_the_identity() -> None:
    images = noise(channels=3)
    torch.testing.assert_close(augment(images, only(), seeded(0)), images, atol=1e-5, rtol=0)


@pytest.mark.parametrize(
    "strength",
    [
        {"rotate": 20},
        {"shift": 0.2},
        {"scale": 0.3},
        {"brightness": 0.2},
        {"contrast": 0.3},
        {"noise": 0.1},
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
