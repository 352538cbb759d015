"""Images that cannot be used are all named at once; grey and colour are told apart."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymed.data import read_manifest
from raymed.data.images import inspect_images
from raymed.errors import InputError


def not_a_number(path: Path) -> None:
    Image.fromarray(np.full((6, 6), np.nan, np.float32)).save(path)


def cut(path: Path) -> None:
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (64, 64), dtype=np.uint8)
    Image.fromarray(noise).save(content, "JPEG")
    path.write_bytes(content.getvalue()[: len(content.getvalue()) // 2])


BROKEN = {
    "cut.jpg": (cut, "broken or truncated"),
    "empty.png": (lambda path: path.write_bytes(b""), r"the file is empty (0 bytes)"),
    "real.tif": (not_a_number, "36 of 36 values are NaN or infinite"),
    "text.png": (lambda path: path.write_text("no image"), "no image that can be read"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_image_is_refused_by_name_and_fault(scans, name: str) -> None:
    make, fault = BROKEN[name]
    make(scans.root / "ill" / name)
    with pytest.raises(InputError) as refusal:
        read_manifest(scans.data())
    assert str(refusal.value).startswith("1 of 9 images: cannot be used: ")
    assert f"ill/{name}: {fault}" in str(refusal.value)


def test_all_broken_images_are_named_at_once(scans) -> None:
    for name, (make, _) in BROKEN.items():
        make(scans.root / "ill" / name)
    with pytest.raises(InputError, match="4 of 12 images") as refusal:
        read_manifest(scans.data())
    for name, (_, fault) in BROKEN.items():
        assert f"{name}: {fault}" in str(refusal.value)


def test_of_many_broken_images_five_are_named_and_the_rest_counted(scans) -> None:
    for number in range(8):
        scans.text(f"ill/broken_{number}.png", "no image")
    with pytest.raises(InputError, match="8 of 16 images") as refusal:
        read_manifest(scans.data())
    assert str(refusal.value).count("/broken_") == 5
    assert "and 3 more" in str(refusal.value)


def test_an_image_that_a_table_names_and_nobody_has_is_refused(toy) -> None:
    toy.image("a.png")
    (toy.root / "empty").mkdir()
    toy.text("t.csv", "image,label\na.png,x\ngone.png,y\nempty,y\n")
    with pytest.raises(InputError, match="2 of 3 images") as refusal:
        read_manifest(toy.data("t.csv"))
    assert "gone.png: no such image" in str(refusal.value)
    assert "cannot be read (Is a directory)" in str(refusal.value)


@pytest.mark.parametrize("form", ["PNG", "JPEG", "GIF", "BMP", "WEBP"])
def test_an_image_cut_anywhere_is_a_fault_and_never_a_crash(tmp_path: Path, form: str) -> None:
    content = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 255, (24, 20, 3), dtype=np.uint8)
    Image.fromarray(noise).save(content, form)
    whole = content.getvalue()
    lengths = range(0, len(whole) - 30, 37)  # the last bytes of a PNG hold no pixels
    for length in lengths:
        (tmp_path / f"{length}.img").write_bytes(whole[:length])
    found = list(inspect_images([str(tmp_path / f"{length}.img") for length in lengths]))
    assert all(inspection.fault is not None for inspection in found)


@pytest.mark.parametrize(
    ("mode", "suffix", "channels"),
    [
        ("1", "png", 1),
        ("L", "png", 1),
        ("L", "jpg", 1),
        ("LA", "png", 1),
        ("RGB", "png", 3),
        ("RGBA", "png", 3),
        ("P", "png", 3),
        ("CMYK", "jpg", 3),
    ],
)
def test_modes_are_grey_or_colour(toy, mode: str, suffix: str, channels: int) -> None:
    path = toy.image(f"x.{suffix}", mode)
    (found,) = inspect_images([str(path)])
    assert (found.fault, found.channels) == (None, channels)


def test_one_image_with_colour_makes_the_set_colour(scans) -> None:
    assert read_manifest(scans.data()).channels == 1
    scans.image("ill/stained.png", "RGB")
    assert read_manifest(scans.data()).channels == 3


def test_images_are_inspected_in_order_beyond_one_part(toy) -> None:
    # 512 at a time in two threads: the order must hold across parts.
    paths = [str(toy.image(f"{number}.png")) for number in range(4)] * 150
    sums = [found.checksum for found in inspect_images(paths)]
    assert len(set(sums[:4])) == 4
    assert sums == sums[:4] * 150
