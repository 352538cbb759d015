"""What is measured of a picture is what was put into it."""

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from raymed.data.appearance.bars import bars_around
from raymed.data.appearance.marks import _grown, _variance
from raymed.data.appearance.measuring import MOST, look_at
from raymed.data.images import inspect_images
from tests.data.audit.pictures.conftest import lettered, textured

NOISE = np.asarray(textured(1, 80)[0])


@given(*[st.integers(0, 20)] * 4, st.sampled_from([0, 20, 255]))
def test_bars_are_as_wide_as_they_were_drawn(top, bottom, left, right, level) -> None:
    pixels = NOISE.copy()
    pixels[:top] = pixels[len(pixels) - bottom :] = level
    pixels[:, :left] = pixels[:, pixels.shape[1] - right :] = level

    assert bars_around(pixels) == ((top + bottom) / 80, (left + right) / 80)


def test_a_body_on_black_has_no_bars(phantoms) -> None:
    y, x = np.mgrid[:128, :128]
    disc = np.where(np.hypot(y - 64, x - 70) < 40, 180, 0).astype(np.uint8)

    assert bars_around(disc) == (0, 0)
    assert {bars_around(np.asarray(each)) for each in phantoms} == {(0, 0)}


def test_a_constant_picture_has_no_bars() -> None:
    assert bars_around(np.zeros((40, 40), np.uint8)) == (0, 0)


@given(st.integers(0, 2**32 - 1), st.floats(0, 0.2))
def test_what_touches_a_mark_and_how_flat_its_ground_is_are_as_scipy_and_numpy_say(
    seed, share
) -> None:
    drawn = np.random.default_rng(seed)
    mask = drawn.random((17, 23)) < share
    levels = drawn.integers(0, 256, 150).astype(np.int16)

    assert (_grown(mask) == ndimage.binary_dilation(mask, np.ones((3, 3)))).all()
    assert _variance(levels) == pytest.approx(levels.var(dtype=np.float64))


def test_levels_are_those_of_numpy() -> None:
    seen = look_at(Image.fromarray(NOISE), "png")

    assert seen.mean == pytest.approx(NOISE.mean())
    assert seen.contrast == pytest.approx(NOISE.std())
    assert seen.spread == int(NOISE.max()) - int(NOISE.min())
    assert (seen.black, seen.white) == ((NOISE <= 2).mean(), (NOISE >= 253).mean())


def test_a_large_picture_is_told_from_its_means() -> None:
    large = Image.fromarray(NOISE).resize((13 * MOST, 7 * MOST))

    seen = look_at(large, "png")

    assert (seen.width, seen.height) == (13 * MOST, 7 * MOST)
    assert seen.mean == pytest.approx(np.asarray(large).mean(), abs=1)


def test_pictures_that_lie_on_their_side_are_measured_upright(tmp_path) -> None:
    turned = Image.Exif()
    turned[274] = 6
    Image.fromarray(NOISE[:40]).save(tmp_path / "a.jpg", exif=turned)

    (found,) = inspect_images([str(tmp_path / "a.jpg")], look=True)

    assert found.appearance is not None
    assert (found.appearance.width, found.appearance.height) == (40, 80)
    assert found.appearance.kind == "jpeg"


def test_the_kind_is_that_of_the_content(tmp_path) -> None:
    Image.fromarray(NOISE).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")

    (found,) = inspect_images([str(tmp_path / "a.jpg")], look=True)

    assert found.appearance is not None
    assert found.appearance.kind == "png"


def test_grey_stored_as_colour_is_grey_also_after_jpeg() -> None:
    grey = Image.fromarray(NOISE).convert("RGB")
    file = io.BytesIO()
    grey.save(file, "JPEG", quality=60)
    tinted = np.asarray(grey).copy()
    tinted[:20, :20, 2] = 0

    assert not look_at(grey, "png").colour
    assert not look_at(Image.open(file), "jpeg").colour
    assert look_at(Image.fromarray(tinted), "png").colour


@pytest.mark.parametrize("text", ["R", "L", "AP"])
@pytest.mark.parametrize("side", [96, 128, 512])
def test_letters_on_flat_ground_are_marks(text: str, side: int) -> None:
    plain = Image.new("L", (side, side), 12)

    marks = look_at(lettered(plain, text), "png").marks

    assert len(marks) == len(text)
    assert all(0 < mark.top < 0.15 and 0 < mark.left < 0.25 for mark in marks)
    assert all(0.04 < mark.height < 0.12 for mark in marks)


def test_dark_letters_on_a_bright_ground_are_marks_too() -> None:
    inverted = Image.fromarray(255 - np.asarray(lettered(Image.new("L", (128, 128)), "R")))

    assert len(look_at(inverted, "png").marks) == 1


def test_what_is_large_or_lies_on_tissue_is_no_mark() -> None:
    large = lettered(Image.new("L", (128, 128)), "R", share=0.4)

    assert look_at(large, "png").marks == ()
    assert all(look_at(lettered(each, "R"), "png").marks == () for each in textured(8, 128))
