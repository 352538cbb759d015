"""Where images come from: the cache, or their files where its disk has no room for them."""

import os
import pickle
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from raymed.config import DataConfig, Experiment
from raymed.data import Manifest, image_file, open_array, read_manifest
from raymed.data.decoded import building
from raymed.data.decoded.streaming import Streamed, StreamedImages
from raymed.data.holding import let_go
from raymed.errors import DiskFullError, InputError
from raymed.pipeline.decoding import ImageCache, Sent, decode, decode_thumbnails
from raymed.pipeline.events import Event, Note, Stage
from raymed.pipeline.members import plan_members
from raymed.pipeline.prepare import prepare
from raymed.pipeline.units import FeatureUnit, FoldUnit, feature_units, fold_units
from raymed.runs import RunFolder
from raymed.stories import result_of
from tests.disks import read_only, tiny_disk

Make = Callable[..., Experiment]
DATA = DataConfig(source=Path("scans"), patients="none")


@pytest.fixture(scope="module")
def manifest(make: Make) -> Manifest:
    """40 images, 40 kB at 32 px."""
    return read_manifest(make().data)


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A cache on a disk of 32 kB."""
    with tiny_disk(tmp_path / "small", "32k"):
        yield tmp_path / "small"
        let_go()


def notes(events: list[Event]) -> list[str]:
    return [event.text for event in events if isinstance(event, Note)]


def test_images_are_decoded_into_the_cache_with_progress(manifest, tmp_path: Path) -> None:
    cache = ImageCache(tmp_path)
    events = list(decode(cache, manifest, 32))
    assert events[-1] == Stage("decoding images at 32 px", 40, 40)
    assert list(decode(cache, manifest, 32)) == []
    assert isinstance(cache.open(manifest, 32), np.memmap)


def test_what_the_cache_of_a_node_lacks_is_decoded_there_to_the_same_bits(
    manifest, tmp_path: Path
) -> None:
    cache, listed = ImageCache(tmp_path / "cache"), tmp_path / "manifest.parquet"
    manifest.write(listed)
    list(decode(cache, manifest, 32))
    sent: Any = pickle.loads(pickle.dumps(cache.source(manifest, 32, listed, DATA)))
    assert result_of(sent.here()) == image_file(cache.folder, manifest, 32)
    driver = np.array(open_array(sent.kept))
    let_go()
    shutil.rmtree(cache.folder)  # as on another node

    told = list(sent.here())

    assert (told[-1].step, told[-1].steps) == (40, 40)
    np.testing.assert_array_equal(open_array(sent.kept), driver)
    assert list(sent.here()) == []


def test_a_node_whose_cache_has_no_room_streams(manifest, small: Path, tmp_path: Path) -> None:
    listed = tmp_path / "manifest.parquet"
    manifest.write(listed)
    kept = image_file(small, manifest, 32)
    lacking = Sent(kept, Streamed(listed, 32), ImageCache(small), DATA, None)

    assert result_of(lacking.here()) == Streamed(listed, 32)


def test_a_disk_that_is_too_small_is_told_before_anything_is_decoded(
    manifest, small: Path, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(building.Job, "decode", None)
    cache = ImageCache(small)
    (note,) = notes(list(decode(cache, manifest, 32)))
    assert "decoded anew for each batch" in note
    assert "they need 41 kB" in note
    assert "all 40 are used" in note
    assert list(small.iterdir()) == []
    file = tmp_path / "manifest.parquet"
    assert result_of(cache.source(manifest, 32, file, DATA).here()) == Streamed(file, 32)
    kept = ImageCache(tmp_path / "large")
    monkeypatch.undo()
    list(decode(kept, manifest, 32))
    np.testing.assert_array_equal(cache.open(manifest, 32)[:], kept.open(manifest, 32))


def test_a_disk_that_fills_meanwhile_is_told_and_left_empty(
    manifest, small: Path, monkeypatch
) -> None:
    monkeypatch.setattr("raymed.pipeline.decoding._lack_of_room", lambda *these: "")
    (note,) = notes(list(decode(ImageCache(small), manifest, 32)))
    assert "the disk is full" in note
    assert list((small / "images").iterdir()) == []


def test_streaming_never_ends_with_that_word_and_code_3(manifest, small: Path) -> None:
    with pytest.raises(DiskFullError, match="streaming is never") as refused:
        list(decode(ImageCache(small, "never"), manifest, 32))
    assert refused.value.exit_code == 3


def test_streaming_always_writes_no_images(manifest, tmp_path: Path) -> None:
    cache = ImageCache(tmp_path / "cache", "always")
    (note,) = notes(list(decode(cache, manifest, 32)))
    assert "as cluster.streaming says" in note
    assert isinstance(cache.open(manifest, 32), StreamedImages)
    assert not cache.folder.exists()


def test_a_cache_that_cannot_be_written_is_used_where_it_is_whole_else_refused(
    manifest, tmp_path: Path
) -> None:
    with tiny_disk(tmp_path / "cache", "1m"):
        cache = ImageCache(tmp_path / "cache")
        list(decode(cache, manifest, 32))
        let_go()
        with read_only(cache.folder):
            assert list(decode(cache, manifest, 32)) == []
            assert isinstance(cache.open(manifest, 32), np.memmap)
            with pytest.raises(InputError, match=r"cannot be written \(Read-only") as refused:
                list(decode(cache, manifest, 16))
            assert "cluster.streaming" in refused.value.remedy
            let_go()


def test_a_cache_of_another_user_is_used_though_its_times_differ(manifest, tmp_path: Path) -> None:
    with tiny_disk(tmp_path / "cache", "1m"):
        cache = ImageCache(tmp_path / "cache")
        list(decode(cache, manifest, 32))
        os.utime(image_file(cache.folder, manifest, 32), (0, 0))
        let_go()
        with read_only(cache.folder):
            told = {type(event) for event in decode(cache, manifest, 32)}
            assert told == {Stage}  # read wholly, with progress, and not decoded
            assert list(decode(cache, manifest, 32)) == []
            let_go()


def test_a_harmed_cache_is_made_anew_saying_so(manifest, tmp_path: Path) -> None:
    cache = ImageCache(tmp_path)
    list(decode(cache, manifest, 32))
    file = image_file(tmp_path, manifest, 32)
    pixels = open_array(file).copy()
    file.write_bytes(file.read_bytes()[:1000])
    (note,) = notes(list(decode(cache, manifest, 32)))
    assert "is harmed" in note
    np.testing.assert_array_equal(open_array(file), pixels)


def test_thumbnails_are_decoded_into_memory_where_they_are_streamed(
    manifest, tmp_path: Path
) -> None:
    kept, live = ImageCache(tmp_path / "cache"), ImageCache(tmp_path / "none", "always")
    list(decode(kept, manifest, 64))
    (note,) = notes(list(decode(live, manifest, 64, in_memory=True)))
    assert "into memory" in note
    found: list[Any] = [result_of(decode_thumbnails(each, manifest, 64)) for each in (kept, live)]
    np.testing.assert_array_equal(*found)


def test_a_run_that_streams_leaves_the_same_audit_and_rows_as_one_that_does_not(
    make: Make, tmp_path: Path
) -> None:
    written: dict[str, list[bytes]] = {}
    audits = []
    for streaming in ("never", "always"):
        folder = tmp_path / streaming
        experiment = make(f"cluster.cache={folder / 'cache'}", f"cluster.streaming={streaming}")
        run = RunFolder.at(folder / "run")
        prepared = result_of(prepare(experiment, run))
        audits.append(run.audit_file.read_bytes() + run.contact_file.read_bytes())
        assert (folder / "cache" / "images").exists() == (streaming == "never")
        members = plan_members(experiment, run, prepared)
        units: list[FeatureUnit | FoldUnit] = [
            *feature_units(experiment, run, members, prepared, "cpu"),
            *fold_units(experiment, run, members, prepared, "cpu"),
        ]
        assert len(units) == 5
        for unit in units:
            assert (unit.images.kept is None) == (streaming == "always")
            done = result_of(pickle.loads(pickle.dumps(unit)).work())
            if done is not None:
                rows = (done.attempt / "predictions.parquet").read_bytes()
                written.setdefault(streaming, []).append(rows)
    assert audits[0] == audits[1]
    assert len(written["never"]) == 4
    assert written["never"] == written["always"]
