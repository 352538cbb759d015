"""`raymed cache`: what the cache holds, whether it is as it was written, and room in it."""

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import psutil

from raymed.config import Cluster
from raymed.data.decoded.entry import FOLDER, RUN, Entry
from raymed.data.holding import USED, in_use, last_use, remove
from raymed.data.intake.objects.fetching import SOURCES, is_as_fetched
from raymed.errors import InputError
from raymed.files import complete, read_json
from raymed.runs import COPIES

FEATURES, HIDDEN = "features", "hidden"
Kind = Literal["images", "features", "hidden groups", "source", "run", "left over"]

_SECONDS = {"h": 3600, "d": 86400, "w": 7 * 86400}
_TEMPORARY = re.compile(r"\..+\.(\d+)-[0-9a-f]{8}\.tmp")


@dataclass(frozen=True)
class Kept:
    """One thing in the cache: a folder, or a file of `hidden/`.

    `samples` is None where it is not known; `used` the time of its last use, in seconds since 1970.
    A `source` is a data set that was fetched from a URL, a `run` the copy of a run folder that lies
    in an object store, `left over` what a killed process was writing.
    """

    kind: Kind
    path: Path
    size: int
    samples: int | None
    used: float
    is_whole: bool
    in_use: bool


@dataclass(frozen=True)
class Verified:
    """How far the reading of one thing is, in percent; at its end whether it is as written."""

    kept: Kept
    percent: int
    intact: bool | None = None


def cache_folder(folder: Path | None = None) -> Path:
    """Give the cache that is meant: `folder`, $RAYMED_CACHE or the user's own."""
    return Cluster(cache=folder).cache_folder


def list_cache(cache: Path) -> list[Kept]:
    """List what the cache holds, what was used last first. Reads no pixels."""
    found = [
        *(_folder("images", path) for path in _inside(cache / FOLDER)),
        *(_folder("features", path) for path in _inside(cache / FEATURES)),
        *(_file(path) for path in _inside(cache / HIDDEN)),
        *(_folder("source", path) for path in _inside(cache / SOURCES)),
        *(_folder("run", path) for path in _inside(cache / COPIES)),
    ]
    return sorted(
        (kept for kept in found if kept is not None), key=lambda kept: kept.used, reverse=True
    )


def clear_cache(cache: Path, older_than: float) -> Iterator[tuple[Kept, bool]]:
    """Remove what was not used for so many seconds, telling of each whether it is gone.

    What a living process uses stays.
    """
    now = time.time()
    for kept in list_cache(cache):
        if now - kept.used < older_than:
            continue
        if kept.path.is_dir():
            yield kept, remove(kept.path)
        else:
            if not kept.in_use:
                kept.path.unlink(missing_ok=True)
            yield kept, not kept.in_use


def verify_cache(cache: Path) -> Iterator[Verified]:
    """Read everything that is complete. Images that are harmed lose their marker.

    The next build then decodes again what does not hold its checksum.
    """
    for kept in list_cache(cache):
        if kept.kind in ("left over", "run") or not kept.is_whole:  # a build checks its run
            continue
        if kept.kind != "images":
            yield Verified(kept, 100, _reads(kept))
            continue
        entry, intact, done = Entry(kept.path), True, 0
        for run, good in enumerate(entry.check()):
            intact &= good
            percent = min(99, 100 * run * RUN // max(1, kept.samples or 1))
            if percent > done:
                done = percent
                yield Verified(kept, percent)
        if not intact:
            with suppress(OSError):
                entry.marker.unlink(missing_ok=True)
        yield Verified(kept, 100, intact)


def seconds_of(text: str) -> float:
    """Read a stretch of time: 12h, 30d, 4w."""
    found = re.fullmatch(r"(\d+(?:\.\d+)?)([hdw])", text.strip())
    if found is None:
        raise InputError("--older-than", f"{text!r} is no stretch of time", "write 12h, 30d or 4w")
    return float(found[1]) * _SECONDS[found[2]]


def _inside(folder: Path) -> list[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        return sorted(folder.iterdir())
    return []


def _folder(kind: Kind, path: Path) -> Kept | None:
    with suppress(FileNotFoundError):  # removed meanwhile
        if not path.is_dir():
            return _file(path)
        files = [file for file in path.rglob("*") if file.is_file() and file.name != USED]
        size = sum(file.stat().st_blocks * 512 for file in files)
        marker = {"source": "fetched.json", "run": "experiment.yaml"}.get(kind, "DONE.json")
        is_whole = (path / marker).is_file()
        if kind == "images":
            is_whole = Entry(path).facts() is not None
        samples = _length(path / f"{kind}.npy")
        return Kept(kind, path, size, samples, last_use(path), is_whole, in_use(path))
    return None


def _file(path: Path) -> Kept | None:
    with suppress(FileNotFoundError):
        stat = path.stat()
        temporary = _TEMPORARY.fullmatch(path.name)
        is_written = temporary is not None and psutil.pid_exists(int(temporary[1]))
        is_json = path.suffix == ".json" and path.parent.name == HIDDEN
        return Kept(
            "hidden groups" if is_json else "left over",
            path,
            stat.st_blocks * 512,
            _grouped(path) if is_json else None,
            stat.st_mtime,
            is_json,
            is_written,
        )
    return None


def _length(array: Path) -> int | None:
    try:
        return len(np.load(array, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError):
        return None


def _grouped(file: Path) -> int | None:
    try:
        return len(read_json(file)["group"])
    except (OSError, InputError, LookupError, TypeError):
        return None


def _reads(kept: Kept) -> bool:
    if kept.kind == "features":
        return complete(kept.path) is not None
    if kept.kind == "source":
        return is_as_fetched(kept.path)
    return kept.samples is not None
