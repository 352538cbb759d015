"""Small movements are undone, and unlike pictures stay apart."""

import numpy as np
import pytest
from PIL import Image

from raymed.data.audit.hidden.alignment import aligned_distance
from raymed.data.audit.hidden.descriptors import describe, small_pictures
from tests.data.audit.hidden.sets import clouds

PICTURES = clouds(30, 2.0)
FIXED = small_pictures(PICTURES.astype(np.uint8), 32).astype(np.float32)


def moved(angle: float = 0, shift: tuple[float, float] = (0, 0), scale: float = 1) -> np.ndarray:
    """Turn (degrees), shift (pixels of 64) and scale each picture."""
    images = (Image.fromarray(each.astype(np.uint8)) for each in PICTURES)
    size, centre = (64, 64), 31.5 * (1 - scale)
    how = (scale, 0, centre + shift[0], 0, scale, centre + shift[1])
    drawn = [
        image.rotate(angle, Image.Resampling.BICUBIC).transform(
            size, Image.Transform.AFFINE, how, Image.Resampling.BICUBIC
        )
        for image in images
    ]
    return small_pictures(np.stack([np.asarray(each) for each in drawn]), 32).astype(np.float32)


@pytest.mark.parametrize(
    "how", [{"angle": 6}, {"angle": -10}, {"shift": (3, -2)}, {"scale": 1.08}, {}]
)
def test_a_small_movement_is_undone(how: dict[str, object]) -> None:
    other = moved(**how)

    aligned = aligned_distance(FIXED, other)

    assert np.median(aligned) < 0.15
    if how:
        before = np.linalg.norm(unit(FIXED) - unit(other), axis=1)
        assert np.median(aligned) < np.median(before) / 3


def unit(pictures: np.ndarray) -> np.ndarray:
    return describe(np.clip(pictures, 0, 255).astype(np.uint8))


def test_unlike_pictures_stay_apart() -> None:
    assert aligned_distance(FIXED, np.roll(FIXED, 1, axis=0)).min() > 0.4


def test_plain_pictures_are_not_alike() -> None:
    plain = np.full((2, 32, 32), 128, dtype=np.float32)

    assert (aligned_distance(plain, plain) > 1).all()
