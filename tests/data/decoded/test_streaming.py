"""What is decoded anew each time is what the cache would hold, bit for bit."""

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import basic_indices

from raymed.data import Manifest, decode_images, image_file, open_array
from raymed.data.decoded import streaming
from raymed.data.decoded.streaming import Streamed, StreamedImages, open_images

REUSED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)


def cached(manifest: Manifest, cache: Path, size: int = 8) -> np.ndarray:
    target = image_file(cache, manifest, size)
    for _ in decode_images(manifest, size, target):
        pass
    return open_array(target)


def test_every_kind_of_file_streams_to_the_bits_of_the_cache(mixed, tmp_path: Path) -> None:
    array, stream = cached(mixed, tmp_path / "cache"), StreamedImages.of(mixed, 8)
    assert (stream.shape, stream.dtype, stream.ndim) == (array.shape, array.dtype, array.ndim)
    assert len(stream) == len(array) == 20
    np.testing.assert_array_equal(stream[:], array)
    np.testing.assert_array_equal(np.stack(list(stream)), array)


@REUSED
@given(data=st.data())
def test_any_rows_are_those_of_the_array(mixed, tmp_path: Path, data: st.DataObject) -> None:
    array, stream = cached(mixed, tmp_path / "cache"), StreamedImages.of(mixed, 8)
    rows = st.lists(st.integers(-20, 19), max_size=12).map(lambda each: np.array(each, dtype=int))
    masks = st.lists(st.booleans(), min_size=20, max_size=20).map(np.array)
    several = basic_indices(array.shape, allow_newaxis=False, allow_ellipsis=False)
    key = data.draw(st.one_of(rows, masks, st.integers(-20, 19), several))
    np.testing.assert_array_equal(stream[key], array[key])


def test_a_row_that_is_not_there_is_refused_as_an_array_does(mixed) -> None:
    with pytest.raises(IndexError):
        StreamedImages.of(mixed, 8)[20]


def test_a_volume_stays_open_between_batches_and_few_files_do(mixed, monkeypatch) -> None:
    opened: list[str] = []
    real = streaming.open_file
    monkeypatch.setattr(streaming, "open_file", lambda path: opened.append(path) or real(path))
    stream = StreamedImages.of(mixed, 8)
    for row in range(20):
        stream[np.array([row])]
    assert len(opened) == len(set(opened)) == 2  # the volume and the DICOM of several frames


def test_a_worker_opens_the_stream_from_the_manifest_in_the_run(mixed, tmp_path: Path) -> None:
    mixed.write(tmp_path / "manifest.parquet")
    source = pickle.loads(pickle.dumps(Streamed(tmp_path / "manifest.parquet", 8)))
    array = cached(mixed, tmp_path / "cache")
    np.testing.assert_array_equal(open_images(source)[:], array)
    np.testing.assert_array_equal(open_images(image_file(tmp_path / "cache", mixed, 8)), array)
