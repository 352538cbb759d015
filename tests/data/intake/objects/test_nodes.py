"""A source in an object store on other nodes: each fetches it once, or refuses what changed."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from raymed.config import DataConfig
from raymed.data import open_array, read_manifest
from raymed.data.holding import let_go
from raymed.data.intake.objects import local_data
from raymed.errors import InputError
from raymed.pipeline.decoding import ImageCache, Sent, decode
from raymed.stories import result_of

Upload = Callable[[Path, str], None]


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """Six images of noise in class folders."""
    for number in range(6):
        file = tmp_path / "scans" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    return tmp_path / "scans"


@pytest.fixture
def sent(scans: Path, upload: Upload, tmp_path: Path) -> Sent:
    """What the driver sends to units, its own cache gone: as on another node."""
    upload(scans, "scans")
    data = DataConfig(source="s3://ward/scans", patients="none")
    cache, listed = ImageCache(tmp_path / "cache"), tmp_path / "manifest.parquet"
    manifest = read_manifest(result_of(local_data(data, cache.folder)))
    manifest.write(listed)
    list(decode(cache, manifest, 8))
    found = cache.source(manifest, 8, listed, data)
    let_go()
    (tmp_path / "cache").rename(tmp_path / "the driver's")
    return found


def test_a_node_fetches_and_decodes_what_it_lacks(sent: Sent, tmp_path: Path) -> None:
    opened = result_of(sent.here())

    assert opened == sent.kept
    assert isinstance(opened, Path)
    drivers = tmp_path / "the driver's" / opened.relative_to(tmp_path / "cache")
    np.testing.assert_array_equal(open_array(opened), open_array(drivers))
    let_go()


def test_a_node_refuses_a_source_that_changed_since(
    sent: Sent, scans: Path, upload: Upload, s3: Any
) -> None:
    Image.fromarray(np.zeros((9, 9), dtype=np.uint8)).save(scans / "a" / "0.png")
    upload(scans, "scans")

    with pytest.raises(InputError, match=r"s3://ward/scans.*other objects than when this build"):
        result_of(sent.here())
    let_go()
