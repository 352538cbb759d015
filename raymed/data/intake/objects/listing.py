"""Which objects a URL names: one, those below a prefix, those of a pattern, or of a manifest."""

import posixpath
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from raymed.data.intake.objects.location import Location
from raymed.data.intake.sources.shards import expand, is_pattern
from raymed.data.intake.steps import Step, Steps
from raymed.errors import InputError, some

_AT_ONCE = 8


@dataclass(frozen=True)
class Stored:
    """An object: its path below the root of its set, its size, and when it was written [ns]."""

    name: str
    size: int
    written: int


@dataclass(frozen=True)
class Listed:
    """The objects of a set, the path in the store that their names start at, and the source.

    `source` is the name of the one object or pattern that is to be read, `""` for all.
    """

    root: str
    objects: tuple[Stored, ...]
    source: str = ""


def list_objects(store: Any, location: Location) -> Steps[Listed]:
    """List what a URL names; raises `InputError` for nothing at all, `OSError` as pyarrow does."""
    from pyarrow import fs

    path = location.path
    if is_pattern(path):
        return (yield from _of_pattern(store, location))
    info = store.get_file_info(path)
    if info.type == fs.FileType.File:
        root, name = posixpath.split(path)
        return Listed(root, (Stored(name, info.size, info.mtime_ns),), name)
    objects = yield from below(store, location, path)
    if not objects:
        raise InputError(location.url, "holds no objects", "see the prefix: it is the whole path")
    return Listed(path, objects)


def below(store: Any, location: Location, root: str) -> Steps[tuple[Stored, ...]]:
    """List the objects below a prefix, hidden ones left out, its folders side by side."""
    from pyarrow import fs

    def walk(folder: str) -> list[Any]:
        below = fs.FileSelector(folder, allow_not_found=True, recursive=True)
        return list(store.get_file_info(below))

    said = f"listing {location.url}"
    yield Step(said)
    found, folders = [], [root]
    if location.scheme != "gs":  # where pyarrow lists no folder that is only in names
        top = store.get_file_info(fs.FileSelector(root, allow_not_found=True))
        found = [info for info in top if info.type == fs.FileType.File]
        folders = [info.path for info in top if info.type == fs.FileType.Directory]
    pool = ThreadPoolExecutor(_AT_ONCE)
    try:
        for inside in pool.map(walk, folders):
            found += [info for info in inside if info.type == fs.FileType.File]
            yield Step(said, len(found))
    finally:
        pool.shutdown(cancel_futures=True)
    bucket = root.split("/")[0]
    if not found and store.get_file_info(bucket).type == fs.FileType.NotFound:
        raise location.no_bucket()
    stored = [Stored(info.path[len(root) + 1 :], info.size, info.mtime_ns) for info in found]
    return tuple(sorted(_safe(stored, location), key=lambda each: each.name))


def _of_pattern(store: Any, location: Location) -> Steps[Listed]:
    parts = location.path.split("/")
    first = next(number for number, part in enumerate(parts) if is_pattern(part))
    if first == 0:
        raise InputError(location.url, "a pattern cannot name buckets", "write the bucket out")
    root, pattern = "/".join(parts[:first]), "/".join(parts[first:])
    objects = yield from below(store, location, root)
    wanted = expand(pattern)
    found = tuple(each for each in objects if any(_matches(each.name, name) for name in wanted))
    if not found:
        raise InputError(location.url, "no object has a name like this")
    return Listed(root, found, pattern)


def _matches(name: str, pattern: str) -> bool:
    return name.count("/") == pattern.count("/") and PurePosixPath(name).match(pattern)


def named_by_manifest(
    store: Any, location: Location, root: str, images: Iterable[str]
) -> Steps[tuple[Stored, ...]]:
    """List the objects that a manifest names by paths relative to itself: files, or folders."""
    wanted = {posixpath.normpath(image) for image in images}
    outside = sorted(name for name in wanted if name.startswith(("/", "..")) or "://" in name)
    if outside:
        fault = f"its manifest names images that do not lie below it: {some(outside)}"
        raise InputError(location.url, fault, "write paths relative to the manifest")
    folders = [posixpath.dirname(name) for name in wanted]
    common = posixpath.commonpath(folders) if all(folders) else ""
    start = f"{root}/{common}".rstrip("/")
    objects = yield from below(store, location, start)
    prefix = f"{common}/" if common else ""
    named = [Stored(prefix + each.name, each.size, each.written) for each in objects]
    return tuple(each for each in named if wanted & set(_above(each.name)))


def _above(name: str) -> Iterator[str]:
    """Give a name, and the folders that it lies in."""
    while name:
        yield name
        name = posixpath.dirname(name)


def _safe(objects: Iterable[Stored], location: Location) -> Iterator[Stored]:
    """Leave hidden objects out; refuse names that no file can have."""
    for each in objects:
        parts = each.name.split("/")
        if not {"", ".", ".."}.isdisjoint(parts) or "\0" in each.name:
            raise InputError(location.url, f"an object's name cannot be a file's: {each.name!r}")
        if not any(part.startswith(".") for part in parts):
            yield each
