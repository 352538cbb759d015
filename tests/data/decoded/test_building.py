"""Images are decoded once; nothing half-written or damaged is ever read."""

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymed.data import Manifest, decode_images, image_file, open_array, read_manifest
from raymed.data.decoded import spreading
from raymed.data.decoded.entry import Entry
from raymed.data.decoded.streaming import StreamedImages
from raymed.data.pixels import in_turn
from raymed.errors import InputError, RaymedError


def expected(manifest: Manifest) -> np.ndarray:
    return np.stack([np.asarray(Image.open(path)) for path in manifest.table["image"]])


def counts(manifest: Manifest, target: Path, size: int = 6, **settings: int) -> list[int]:
    return [at.done for at in decode_images(manifest, size, target, **settings)]


def left_in(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir()}


def test_decoded_pixels_stand_in_the_manifests_order(manifest, target) -> None:
    assert counts(manifest, target) == list(range(1, 9))
    assert np.array_equal(open_array(target), expected(manifest))
    assert open_array(target).dtype == np.uint8
    assert left_in(target.parent) == {"images.npy", "rows.npy", "DONE.json", ".used"}


def test_a_colour_set_is_decoded_in_colour(scans, tmp_path: Path) -> None:
    scans.image("ill/stained.png", "RGB")
    manifest = read_manifest(scans.data())
    target = image_file(tmp_path / "cache", manifest, 16)
    counts(manifest, target, 16)
    assert open_array(target).shape == (9, 16, 16, 3)


def test_the_second_time_nothing_is_decoded(manifest, target) -> None:
    counts(manifest, target)
    for path in manifest.table["image"]:
        Path(path).unlink()
    assert counts(manifest, target) == []
    assert len(open_array(target)) == 8


def test_nothing_writes_into_a_cached_array(manifest, target) -> None:
    counts(manifest, target)
    with pytest.raises(ValueError, match="read-only"):
        open_array(target)[0] = 0


@pytest.mark.parametrize(
    "damage", ["flip", "cut", "gone", "rows cut", "no rows", "no marker", "broken marker"]
)
def test_a_damaged_cache_is_built_again(manifest, target, damage: str) -> None:
    counts(manifest, target)
    marker, rows = target.parent / "DONE.json", target.parent / "rows.npy"
    content = bytearray(target.read_bytes())
    if damage == "flip":
        content[-1] ^= 1
        target.write_bytes(content)
    elif damage == "cut":
        target.write_bytes(content[:-7])
    elif damage == "gone":
        target.unlink()
    elif damage == "rows cut":
        rows.write_bytes(rows.read_bytes()[:-7])
    elif damage == "no rows":
        rows.unlink()
    elif damage == "no marker":
        marker.unlink()
    else:
        marker.write_text('{"files": ')
    said = list(decode_images(manifest, 6, target))
    assert said[-1].done == 8
    assert any("is harmed" in at.note for at in said) == ("marker" not in damage)
    assert np.array_equal(open_array(target), expected(manifest))
    assert counts(manifest, target) == []


def test_of_a_harmed_cache_only_what_is_harmed_is_decoded_again(manifest, target) -> None:
    counts(manifest, target)
    for path in manifest.table["image"][:-1]:
        Path(path).unlink()
    content = bytearray(target.read_bytes())
    content[-1] ^= 1
    target.write_bytes(content)
    assert counts(manifest, target) == [0, 7, 8]


def test_a_cache_that_was_copied_is_read_once_and_then_trusted(manifest, target) -> None:
    counts(manifest, target)
    os.utime(target, (0, 0))
    entry = Entry(target.parent)
    assert entry.facts()["stamps"]["images.npy"][1] != 0
    assert entry.state() == "whole"
    assert entry.facts()["stamps"]["images.npy"][1] == 0


def test_what_rots_on_the_disk_shows_when_all_is_read(manifest, target) -> None:
    counts(manifest, target)
    before, content = target.stat(), bytearray(target.read_bytes())
    content[-1] ^= 1
    target.write_bytes(content)
    os.utime(target, ns=(before.st_atime_ns, before.st_mtime_ns))
    entry = Entry(target.parent)
    assert entry.state() == "whole"  # no byte of it was read
    assert not all(entry.check())


def test_a_decoding_that_stopped_goes_on_where_it_was(manifest, target) -> None:
    decoding = decode_images(manifest, 6, target)
    assert [next(decoding).done for _ in range(3)] == [1, 2, 3]
    decoding.close()
    assert not (target.parent / "DONE.json").exists()
    assert counts(manifest, target) == [3, 4, 5, 6, 7, 8]
    assert np.array_equal(open_array(target), expected(manifest))


def test_an_image_that_cannot_be_read_any_more_is_named(manifest, target) -> None:
    Path(manifest.table["image"].iloc[-1]).unlink()
    for processes in (1, 2):
        with pytest.raises(InputError, match="no such image"):
            counts(manifest, target, processes=processes)
    assert not (target.parent / "DONE.json").exists()
    assert not (target.parent / ".decoding").exists()


def test_another_size_or_other_content_is_another_cache(scans, manifest, tmp_path: Path) -> None:
    first = image_file(tmp_path, manifest, 6)
    assert image_file(tmp_path, manifest, 7) != first
    again = read_manifest(scans.data(classes=("well", "ill"), patients={"pattern": "(p.)"}))
    assert image_file(tmp_path, again, 6) == first  # labels and patients are not pixels
    scans.image("ill/p1_0.png", size=(7, 6))
    assert image_file(tmp_path, read_manifest(scans.data()), 6) != first


def test_a_manifest_with_more_images_decodes_only_those(scans, manifest, target) -> None:
    counts(manifest, target)
    scans.images("ill/p0_0.png", "well/p5_0.png")  # the first and the last of all
    larger = read_manifest(scans.data())
    for path in manifest.table["image"]:
        Path(path).unlink()
    other = image_file(target.parents[2], larger, 6)
    assert counts(larger, other) == [8, 9, 10]
    assert np.array_equal(open_array(other)[1:9], open_array(target)[[*range(4), *range(4, 8)]])


def test_what_is_harmed_elsewhere_is_not_taken_over(scans, manifest, target) -> None:
    counts(manifest, target)
    content = bytearray(target.read_bytes())
    content[-1] ^= 1
    target.write_bytes(content)
    scans.images("ill/p0_0.png")
    larger = read_manifest(scans.data())
    other = image_file(target.parents[2], larger, 6)
    assert counts(larger, other) == [7, 8, 9]
    assert np.array_equal(open_array(other), expected(larger))


@pytest.fixture
def workers(monkeypatch) -> list[spreading.Job]:
    """The jobs of all processes that are started."""
    started: list[spreading.Job] = []

    class Counted(spreading.Worker):
        def __init__(self, job: spreading.Job) -> None:
            started.append(job)
            super().__init__(job)

    monkeypatch.setattr(spreading, "Worker", Counted)
    return started


def test_threads_and_processes_decode_every_kind_to_the_same_bytes(
    mixed, tmp_path: Path, workers
) -> None:
    files = [image_file(tmp_path / name, mixed, 8) for name in ("threads", "processes")]
    assert counts(mixed, files[0], 8, processes=1) == list(range(1, 21))
    assert workers == []
    assert counts(mixed, files[1], 8, processes=2)[-1] == 20
    assert len(workers) == 2
    assert open_array(files[0]).shape == (20, 8, 8, 3)
    assert files[0].read_bytes() == files[1].read_bytes()
    assert len(np.unique(open_array(files[0]).reshape(20, -1), axis=0)) > 15


@pytest.mark.parametrize(("cores", "left", "expected"), [(3, 0.0, 3), (2, 0.0, 0), (3, 60.0, 0)])
def test_processes_take_over_where_there_are_cores_and_much_is_left(
    mixed, tmp_path: Path, workers, monkeypatch, cores: int, left: float, expected: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(cores)))
    monkeypatch.setattr(spreading, "_TRIED", 0.0)
    monkeypatch.setattr(spreading, "_LONG", left)
    target = image_file(tmp_path / "cache", mixed, 8)
    assert counts(mixed, target, 8)[-1] == 20
    assert len(workers) == expected
    stream = StreamedImages.of(mixed, 8)
    np.testing.assert_array_equal(open_array(target), stream[:])


@pytest.mark.parametrize("rows", [600, 1100])
def test_a_file_of_many_frames_is_opened_once(toy, monkeypatch, rows: int) -> None:
    held = np.random.default_rng(0).integers(0, 255, (rows, 4, 4), dtype=np.uint8)
    labels = np.arange(rows)[:, None] % 2
    np.savez(toy.root / "a.npz", train_images=held, train_labels=labels)
    manifest = read_manifest(toy.data("a.npz"))
    opened = []
    real = in_turn.open_file
    monkeypatch.setattr(in_turn, "open_file", lambda path: opened.append(path) or real(path))
    assert counts(manifest, image_file(toy.root / "cache", manifest, 4), 4)[-1] == rows
    assert len(opened) == 1


def test_a_process_that_is_killed_is_told_and_the_next_call_goes_on(
    manifest, target, monkeypatch
) -> None:
    class Killed(spreading.Worker):
        def decode(self, part):
            self._process.kill()
            yield from super().decode(part)

    monkeypatch.setattr(spreading, "Worker", Killed)
    with pytest.raises(RaymedError, match="ended by signal 9"):
        counts(manifest, target, processes=2)
    monkeypatch.undo()
    assert counts(manifest, target)[-1] == 8
    assert np.array_equal(open_array(target), expected(manifest))
