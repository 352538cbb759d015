"""An image is brought to its size without bending it."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymed.data.images import load_images, prepare


@pytest.mark.parametrize(("width", "height"), [(40, 20), (20, 40), (33, 7), (16, 16), (5, 3)])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_size_is_as_asked(width: int, height: int, channels: int) -> None:
    pixels = prepare(Image.new("RGB", (width, height), "white"), 16, channels)
    assert pixels.shape == ((16, 16) if channels == 1 else (16, 16, 3))
    assert pixels.dtype == np.uint8


def test_a_wide_image_is_padded_above_and_below_and_keeps_its_proportions() -> None:
    pixels = prepare(Image.new("L", (40, 20), 200), 16, 1)  # scaled to 16 x 8
    assert (pixels[4:12] == 200).all()
    assert (pixels[:4] == 0).all()
    assert (pixels[12:] == 0).all()


def test_a_tall_image_is_padded_left_and_right() -> None:
    pixels = prepare(Image.new("L", (20, 40), 200), 16, 1)
    assert (pixels[:, 4:12] == 200).all()
    assert (pixels[:, :4] == 0).all()
    assert (pixels[:, 12:] == 0).all()


def test_an_image_of_the_right_size_keeps_its_pixels() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (16, 16), dtype=np.uint8)
    assert np.array_equal(prepare(Image.fromarray(noise), 16, 1), noise)


def test_a_grey_image_in_a_colour_set_has_three_equal_channels() -> None:
    noise = np.random.default_rng(0).integers(0, 255, (9, 12), dtype=np.uint8)
    pixels = prepare(Image.fromarray(noise), 16, 3)
    assert np.array_equal(pixels[..., 0], pixels[..., 1])
    assert np.array_equal(pixels[..., 0], pixels[..., 2])


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_what_is_transparent_lies_on_black(mode: str) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (16, 16), dtype=np.uint8)
    image = Image.fromarray(noise).convert(mode)
    alpha = Image.new("L", (16, 16), 255)
    alpha.paste(0, (0, 0, 8, 16))
    alpha.paste(51, (8, 0, 12, 16))  # a fifth
    image.putalpha(alpha)
    channels = 1 if mode == "LA" else 3
    shown = prepare(image, 16, channels).reshape(16, 16, -1)[..., 0]
    assert np.array_equal(shown[:, 12:], noise[:, 12:])
    assert np.abs(shown[:, 8:12] - noise[:, 8:12] / 5).max() <= 1
    assert not shown[:, :8].any()


def test_a_palette_with_transparency_lies_on_black_without_a_warning(toy) -> None:
    plain = Image.open(toy.image("plain.png", "P"))
    path = toy.root / "clear.png"
    plain.save(path, transparency=bytes([0] * 256))
    (pixels,) = load_images([str(path)], 6, 3)
    assert not pixels.any()


def test_images_load_in_order(toy) -> None:
    paths = [str(toy.image(f"{number}.png")) for number in range(6)]
    loaded = list(load_images(paths, 6, 1))
    for path, pixels in zip(paths, loaded, strict=True):
        assert np.array_equal(pixels, np.asarray(Image.open(path)))


def test_a_photograph_that_says_it_lies_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    pixels = np.zeros((8, 8), dtype=np.uint8)
    pixels[:2] = 255  # bright above
    turned = Image.fromarray(pixels).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6  # "rotate by 90 degrees clockwise to see it upright"
    turned.save(tmp_path / "a.png", exif=exif)

    (upright,) = load_images([str(tmp_path / "a.png")], 8, 1)

    np.testing.assert_array_equal(upright, pixels)
