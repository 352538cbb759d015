"""Pictures keep their 16 bits, all their pages count, and what is transparent lies on black."""

import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from raymed.config import Intensity
from raymed.data.images import inspect_images
from raymed.errors import InputError

RAMP = np.arange(0, 65536, 257, dtype=np.uint16).reshape(16, 16)  # 257 is 65535 / 255
EVEN = np.arange(256, dtype=np.uint8).reshape(16, 16)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_16_bits_keeps_its_range(tmp_path: Path, shown, suffix: str) -> None:
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(RAMP).save(path)
    assert np.array_equal(shown(path), EVEN)


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_grey_of_12_bits_in_16_is_not_all_black(tmp_path: Path, shown, suffix: str) -> None:
    path = tmp_path / f"deep.{suffix}"
    Image.fromarray(RAMP // 16).save(path)
    assert np.abs(shown(path).astype(int) - EVEN).max() <= 1


def test_a_range_that_is_said_holds_for_every_image(tmp_path: Path, shown) -> None:
    path = tmp_path / "deep.png"
    Image.fromarray(RAMP // 2).save(path)
    assert np.array_equal(shown(path, rule=Intensity(range=(0, 65535))), EVEN // 2)


@pytest.mark.parametrize("dtype", [np.int32, np.float32])
def test_a_tiff_of_other_numbers_goes_from_least_to_greatest(tmp_path, shown, dtype) -> None:
    path = tmp_path / "real.tif"
    Image.fromarray((RAMP.astype(dtype) - 30000).astype(dtype)).save(path)
    assert np.array_equal(shown(path), EVEN)


def test_a_deep_tiff_whose_white_is_zero_is_inverted(tmp_path: Path, shown) -> None:
    path, tags = tmp_path / "film.tif", TiffImagePlugin.ImageFileDirectory_v2()
    tags[262] = 0
    Image.fromarray(RAMP).save(path, tiffinfo=tags)
    with Image.open(path) as image:
        assert image.tag_v2[262] == 0
    assert np.array_equal(shown(path), 255 - EVEN)


@pytest.mark.parametrize("encode", [imagecodecs.png_encode, imagecodecs.tiff_encode])
def test_colour_of_16_bits_is_read_whole(tmp_path: Path, shown, encode) -> None:
    path = tmp_path / "stained.img"
    colours = np.stack([RAMP // 4, RAMP, RAMP[::-1]], axis=-1)
    path.write_bytes(encode(colours))
    assert shown(path).shape == (16, 16, 3)
    assert np.array_equal(shown(path)[..., 1], EVEN)
    # A quarter of the range is all that red has: 8 bits would leave it 64 steps.
    red = shown(path, rule=Intensity(range=(0, 65535 / 4)))[..., 0]
    assert np.abs(red.astype(int) - EVEN).max() <= 1
    assert len(np.unique(red)) > 250


def test_colour_of_16_bits_without_its_decoder_names_the_package(tmp_path: Path) -> None:
    path = tmp_path / "stained.png"
    path.write_bytes(imagecodecs.png_encode(np.stack([RAMP] * 3, axis=-1)))
    code = (
        "import sys; sys.modules['imagecodecs'] = None\n"
        "from raymed.data.images import inspect_images\n"
        f"print(next(inspect_images([{str(path)!r}])).fault)"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "over 8 bits a colour channel" in told.stdout
    assert "pip install 'raymed[deep]', which brings imagecodecs" in told.stdout


def test_a_deep_colour_that_is_transparent_lies_on_black(tmp_path: Path, shown) -> None:
    path = tmp_path / "clear.png"
    alpha = np.where(np.arange(16) < 8, 0, 65535).astype(np.uint16)
    layers = np.stack([RAMP, RAMP, RAMP, np.broadcast_to(alpha, (16, 16))], axis=-1)
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(layers)))
    assert not shown(path)[:, :8].any()
    assert np.array_equal(shown(path)[:, 8:, 0], EVEN[:, 8:])


@pytest.mark.parametrize("form", ["tif", "gif", "webp"])
def test_every_page_is_a_frame(tmp_path: Path, shown, frames_of, form: str) -> None:
    path = tmp_path / f"pages.{form}"
    pages = [Image.new("L", (16, 16), 20 * number) for number in range(11)]
    options = {"lossless": True} if form == "webp" else {}
    pages[0].save(path, save_all=True, append_images=pages[1:], **options)
    assert frames_of(path) == tuple(f"{number:02}" for number in range(11))
    for number, frame in enumerate(frames_of(path)):
        assert (shown(path, frame) == 20 * number).all()


def test_a_page_must_be_named_and_be_there(tmp_path: Path) -> None:
    path = tmp_path / "pages.tif"
    page = Image.new("L", (6, 6))
    page.save(path, save_all=True, append_images=[page])
    whole, beyond = inspect_images([str(path), f"{path}::2"])
    assert str(whole.fault) == f"{path}: holds 2 images; name one, as pages.tif::0"
    assert str(beyond.fault) == f"{path}::2: it holds 2 images only"


def test_a_reduced_copy_in_a_tiff_is_no_frame(tmp_path: Path, frames_of, shown) -> None:
    path, tags = tmp_path / "slide.tif", TiffImagePlugin.ImageFileDirectory_v2()
    tags[254] = 1
    small = Image.new("L", (4, 4))
    small.encoderinfo = {"tiffinfo": tags}
    Image.new("L", (16, 16), 9).save(path, save_all=True, append_images=[small])
    with Image.open(path) as image:
        assert image.n_frames == 2
    assert frames_of(path) == ("",)
    assert shown(path).shape == (16, 16)


def test_a_page_that_was_cut_off_is_a_fault(tmp_path: Path, frames_of) -> None:
    path = tmp_path / "pages.tif"
    noise = [
        Image.fromarray(np.random.default_rng(n).integers(0, 255, (64, 64), dtype=np.uint8))
        for n in range(3)
    ]
    noise[0].save(path, save_all=True, append_images=noise[1:])
    path.write_bytes(path.read_bytes()[:6000])
    with pytest.raises(InputError, match="broken or truncated"):
        frames_of(path)


def test_a_plain_picture_is_identified_by_its_bytes_and_a_deep_one_by_its_pixels(tmp_path) -> None:
    names = {"a.png": EVEN, "b.tif": EVEN, "c.png": RAMP, "d.tif": RAMP}
    for name, pixels in names.items():
        Image.fromarray(pixels).save(tmp_path / name)
    sums = [found.checksum for found in inspect_images([str(tmp_path / name) for name in names])]
    assert sums[0] != sums[1]
    assert sums[2] == sums[3]
