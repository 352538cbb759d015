"""`raymed cache`: what is kept, read wholly, and removed unless it is in use."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image
from typer.testing import CliRunner

from raymed.cli import app
from raymed.config import DataConfig
from raymed.data import Manifest, read_manifest
from raymed.data.holding import hold, let_go
from raymed.errors import InputError
from raymed.files import mark_complete, write_json
from raymed.pipeline.cache import list_cache, seconds_of
from raymed.pipeline.decoding import ImageCache, decode

Say = Callable[..., Result]
DAY = 86400


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """Six images of noise."""
    for number in range(6):
        file = tmp_path / "scans" / "ab"[number % 2] / f"{number}.png"
        file.parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(number).integers(0, 255, (8, 8), dtype=np.uint8)
        Image.fromarray(pixels).save(file)
    return read_manifest(DataConfig(source=tmp_path / "scans", patients="none"))


@pytest.fixture
def cache(manifest: Manifest, tmp_path: Path) -> Path:
    """Images at two sizes, features, hidden groups, and what killed processes left."""
    folder = tmp_path / "cache"
    for size in (8, 16):
        list(decode(ImageCache(folder), manifest, size))
    features = folder / "features" / "0123-resnet50-8px"
    features.mkdir(parents=True)
    np.save(features / "features.npy", np.ones((6, 4), dtype=np.float32))
    mark_complete(features, ["features.npy"])
    write_json(folder / "hidden" / "4567.json", {"group": [0, 1, 2]})
    (folder / "hidden" / ".89ab.json.999999999-01234567.tmp").write_text("{")
    source = folder / "sources" / "bucket-0123"
    (source / "files" / "ill").mkdir(parents=True)
    (source / "files" / "ill" / "a.png").write_bytes(b"1234")
    os.utime(source / "files" / "ill" / "a.png", (7, 7))
    objects = [["ill/a.png", 4, 7_000_000_000]]
    write_json(source / "fetched.json", {"when": "", "source": "", "objects": objects})
    half = folder / "images" / "cdef-8px"
    half.mkdir()
    (half / "images.npy").write_bytes(b"half")
    let_go()
    return folder


@pytest.fixture
def say(cache: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    """Say `raymed cache ..` of this cache."""
    monkeypatch.setenv("RAYMED_CACHE", str(cache))
    monkeypatch.setenv("COLUMNS", "200")

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["cache", *words])

    return run


def kinds(cache: Path) -> list[str]:
    return sorted(kept.kind for kept in list_cache(cache))


def used(path: Path, days: float) -> None:
    at = time.time() - days * DAY
    os.utime(path / ".used" if path.is_dir() else path, (at, at))


def images(cache: Path, size: int) -> Path:
    (folder,) = [
        path for path in (cache / "images").glob(f"*-{size}px") if (path / "DONE.json").exists()
    ]
    return folder


def test_a_list_names_kind_size_samples_last_use_and_the_total(cache: Path, say: Say) -> None:
    used(images(cache, 16), 3)
    result = say()
    assert result.exit_code == 0, result.output
    lines = {line.split("│")[2].strip(): line for line in result.output.splitlines() if "│" in line}
    assert len(lines) == 7
    old = [each.strip() for each in lines[images(cache, 16).name].split("│")[1:-1]]
    assert (old[0], old[3], old[4]) == ("images", "6", "3 d ago")
    assert "not finished" in lines["cdef-8px"]
    assert "hidden groups" in lines["4567.json"]
    assert "left over" in result.output
    total = sum(kept.size for kept in list_cache(cache))
    assert total >= 6 * (8 * 8 + 16 * 16)
    assert f"7 entries, {round(total / 1000)} kB in all" in result.output


def test_an_empty_cache_is_told(say: Say, tmp_path: Path) -> None:
    assert "the cache is empty" in say("--folder", str(tmp_path / "none")).output


def test_only_what_was_not_used_for_so_long_is_removed(cache: Path, say: Say) -> None:
    used(images(cache, 16), 31)
    used(images(cache, 8), 29)
    used(cache / "hidden" / "4567.json", 40)
    result = say("clear", "--older-than", "30d")
    assert result.exit_code == 0, result.output
    assert "2 entries removed" in result.output
    assert kinds(cache) == ["features", "images", "images", "left over", "source"]


def test_all_is_removed_but_what_is_in_use(cache: Path, manifest: Manifest, say: Say) -> None:
    folder = images(cache, 8)
    script = f"""
import sys
from pathlib import Path
from raymed.data.holding import hold
hold(Path({str(folder)!r}))
print("held", flush=True)
input()
"""
    command = [sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        other.stdout.readline()
        assert "in use" in say().output
        result = say("clear", "--all")
        assert f"in use, stays: {folder}" in result.output
        assert [kept.path for kept in list_cache(cache)] == [folder]
        other.kill()
    assert list(decode(ImageCache(cache), manifest, 8)) == []  # whole as before
    let_go()
    assert "1 entry removed" in say("clear", "--all").output
    assert list_cache(cache) == []


def test_features_that_are_being_computed_stay(cache: Path, say: Say) -> None:
    folder = cache / "features" / "9999-vit-8px"
    hold(folder)
    say("clear", "--all")
    assert [kept.path for kept in list_cache(cache)] == [folder]
    let_go()


def test_a_file_that_a_living_process_writes_stays(cache: Path, say: Say) -> None:
    file = cache / "hidden" / f".aa.json.{os.getpid()}-01234567.tmp"
    file.write_text("{")
    say("clear", "--all")
    assert [kept.path for kept in list_cache(cache)] == [file]


@pytest.mark.parametrize("words", [(), ("--all", "--older-than", "3d")])
def test_clearing_wants_one_word_of_what(cache: Path, say: Say, words: tuple[str, ...]) -> None:
    result = say("clear", *words)
    assert isinstance(result.exception, InputError)
    assert len(list_cache(cache)) == 7


@pytest.mark.parametrize("text", ["", "3", "d", "3 days", "-3d"])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no stretch of time"):
        seconds_of(text)


def test_times_are_read() -> None:
    assert [seconds_of(text) for text in ("12h", "1d", "1.5d", "2w")] == [
        DAY / 2,
        DAY,
        1.5 * DAY,
        14 * DAY,
    ]


def test_verifying_reads_all_and_the_next_build_mends_what_is_harmed(
    cache: Path, manifest: Manifest, say: Say
) -> None:
    good = say("verify")
    assert good.exit_code == 0, good.output
    assert "5 as written, 0 harmed" in good.output
    folder = images(cache, 8)
    file = folder / "images.npy"
    whole, before = file.read_bytes(), file.stat()
    file.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # as rot leaves it
    rotten = cache / "features" / "0123-resnet50-8px" / "features.npy"
    rotten.write_bytes(rotten.read_bytes()[:-1] + b"x")
    (cache / "sources" / "bucket-0123" / "files" / "ill" / "a.png").write_bytes(b"12")
    result = say("verify")
    assert result.exit_code == 1
    assert f"harmed: {folder}" in result.output
    assert "2 as written, 3 harmed" in result.output
    list(decode(ImageCache(cache), manifest, 8))
    assert file.read_bytes() == whole
    let_go()
