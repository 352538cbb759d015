"""Images are decoded once; nothing half-written or damaged is ever read."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymed.data import Manifest, decode_images, image_file, open_array, read_manifest


@pytest.fixture
def manifest(scans) -> Manifest:
    """Eight grey images of 6 x 6 pixels."""
    return read_manifest(scans.data())


@pytest.fixture
def target(manifest: Manifest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where their decoded pixels go."""
    return image_file(tmp_path_factory.mktemp("cache"), manifest, 6)


def expected(manifest: Manifest) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in manifest.table["image"]])


def test_decoded_pixels_stand_in_the_manifests_order(manifest, target) -> None:
    assert list(decode_images(manifest, 6, target)) == list(range(1, 9))
    assert np.array_equal(open_array(target), expected(manifest))
    assert open_array(target).dtype == np.uint8


def test_a_colour_set_is_decoded_in_colour(scans, tmp_path: Path) -> None:
    scans.image("ill/stained.png", "RGB")
    manifest = read_manifest(scans.data())
    target = image_file(tmp_path / "cache", manifest, 16)
    list(decode_images(manifest, 16, target))
    assert open_array(target).shape == (9, 16, 16, 3)


def test_the_second_time_nothing_is_decoded(manifest, target) -> None:
    list(decode_images(manifest, 6, target))
    for path in manifest.table["image"]:
        Path(path).unlink()
    assert list(decode_images(manifest, 6, target)) == []
    assert len(open_array(target)) == 8


def test_nothing_writes_into_a_cached_array(manifest, target) -> None:
    list(decode_images(manifest, 6, target))
    with pytest.raises(ValueError, match="read-only"):
        open_array(target)[0] = 0


@pytest.mark.parametrize("damage", ["flip", "cut", "gone", "no marker", "broken marker"])
def test_a_damaged_cache_is_built_again(manifest, target, damage: str) -> None:
    list(decode_images(manifest, 6, target))
    content = bytearray(target.read_bytes())
    marker = target.parent / "DONE.json"
    if damage == "flip":
        content[-1] ^= 1
        target.write_bytes(content)
    elif damage == "cut":
        target.write_bytes(content[:-7])
    elif damage == "gone":
        target.unlink()
    elif damage == "no marker":
        marker.unlink()
    else:
        marker.write_text('{"files": ')
    assert len(list(decode_images(manifest, 6, target))) == 8
    assert np.array_equal(open_array(target), expected(manifest))
    assert list(decode_images(manifest, 6, target)) == []


def test_a_decoding_that_stops_half_way_leaves_nothing(manifest, target) -> None:
    decoding = decode_images(manifest, 6, target)
    next(decoding)
    decoding.close()
    assert not target.exists()
    assert list(target.parent.iterdir()) == []


def test_a_decoding_that_fails_leaves_nothing(manifest, target) -> None:
    Path(manifest.table["image"].iloc[-1]).unlink()
    with pytest.raises(Exception, match="no such image"):
        list(decode_images(manifest, 6, target))
    assert list(target.parent.iterdir()) == []


def test_what_a_killed_process_left_is_not_read(manifest, target, tmp_path: Path) -> None:
    manifest.write(tmp_path / "manifest.parquet")
    script = f"""
from pathlib import Path
import time
from raymed.data import Manifest, decode_images
manifest = Manifest.read(Path({str(tmp_path / "manifest.parquet")!r}))
for done in decode_images(manifest, 6, Path({str(target)!r})):
    print(done, flush=True)
    if done == 3:
        time.sleep(60)
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    with process:
        assert process.stdout is not None
        assert [process.stdout.readline() for _ in range(3)] == [b"1\n", b"2\n", b"3\n"]
        time.sleep(0.1)
        os.kill(process.pid, signal.SIGKILL)
    assert len(list(target.parent.iterdir())) == 1  # its temporary file
    assert not target.exists()
    assert len(list(decode_images(manifest, 6, target))) == 8
    assert np.array_equal(open_array(target), expected(manifest))


def test_another_size_or_other_content_is_another_cache(scans, manifest, tmp_path: Path) -> None:
    first = image_file(tmp_path, manifest, 6)
    assert image_file(tmp_path, manifest, 7) != first
    again = read_manifest(scans.data(classes=("well", "ill"), patients={"pattern": "(p.)"}))
    assert image_file(tmp_path, again, 6) == first  # labels and patients are not pixels
    scans.image("ill/p1_0.png", size=(7, 6))
    assert image_file(tmp_path, read_manifest(scans.data()), 6) != first
