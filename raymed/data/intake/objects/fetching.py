"""Fetching objects into the cache: each once, several at a time, whole or not at all."""

import os
import shutil
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from raymed.config import DataConfig, is_url
from raymed.data.holding import hold
from raymed.data.intake.keyed import column_of, is_table, read_table
from raymed.data.intake.objects.listing import Listed, Stored, list_objects, named_by_manifest
from raymed.data.intake.objects.location import Location, is_unreachable
from raymed.data.intake.steps import Remark, Step, Steps
from raymed.data.pixels import split_reference
from raymed.errors import DiskFullError, InputError
from raymed.files import digest, lacks_space, read_json, take_lock, whole_file, write_json

SOURCES = "sources"
"""The folder of the cache that fetched data sets lie in."""
AT_ONCE = 16
_AHEAD = 1000  # objects that are asked for, at most, before they are waited for
_CHUNK = 2**23
_MOMENT = 10**6  # ns, finer than any store tells the time and coarser than some disks keep it


def local_data(data: DataConfig, cache: Path) -> Steps[DataConfig]:
    """Give the same configuration over a local source, fetched into the cache if it lies elsewhere.

    The cache has a folder for each URL. Objects that lie there already, with the size and time that
    the store tells, are not fetched again; files that the store no longer has are removed. Where
    it cannot be reached and all was fetched before, that is taken, with a remark. Raises
    `InputError` for what cannot be listed or read, `DiskFullError`.
    """
    if not is_url(data.source):
        return data
    location = Location.of(data.source)
    place = _Place(cache / SOURCES / location.name)
    hold(place.path)
    lock = yield from _locked(place, location)
    try:
        source = yield from _source(location, place, data)
    finally:
        lock.close()
    return data.model_copy(update={"source": source})


def fetched_objects(data: DataConfig, cache: Path) -> str | None:
    """Name what was fetched of a URL by a hash of its objects; None for a local source."""
    if not is_url(data.source):
        return None
    record = read_json(_Place(cache / SOURCES / Location.of(data.source).name).record)
    return digest(record["objects"])


def is_as_fetched(folder: Path) -> bool:
    """Tell, by sizes and times, whether the folder of a URL holds all that was fetched."""
    try:
        return _fetched_before(_Place(folder)) is not None
    except (InputError, LookupError, TypeError):
        return False


@dataclass(frozen=True)
class _Place:
    """The folder of a URL in the cache."""

    path: Path

    @property
    def files(self) -> Path:
        """The objects, as files."""
        return self.path / "files"

    @property
    def record(self) -> Path:
        """What was fetched, written when all was."""
        return self.path / "fetched.json"

    def holds(self, stored: Stored) -> bool:
        """Tell whether an object lies here as the store tells it."""
        try:
            status = (self.files / stored.name).stat()
        except OSError:
            return False
        age = abs(status.st_mtime_ns - stored.written)
        return status.st_size == stored.size and age < _MOMENT

    def keep_only(self, objects: Iterable[Stored]) -> None:
        """Remove the files of objects that are gone, and what killed processes left."""
        names = {each.name for each in objects}
        for path in self.files.rglob("*"):
            is_file = path.is_file() or path.is_symlink()
            if is_file and path.relative_to(self.files).as_posix() not in names:
                path.unlink()


def _locked(place: _Place, location: Location) -> Steps[TextIO]:
    while True:
        lock = take_lock(place.path / "lock", f"process {os.getpid()}")
        if lock is not None:
            return lock
        yield Step(f"waiting for another process that fetches {location.url}")
        time.sleep(1)


def _source(location: Location, place: _Place, data: DataConfig) -> Steps[Path]:
    try:
        store = location.connect()
        listed = yield from list_objects(store, location)
        yield from _fetch_all(store, listed, listed.objects, location, place)
        path = place.files / listed.source
        if path.is_file() and is_table(path, data.image_column):
            more = yield from _images_of_manifest(store, location, listed, place, data)
            yield from _fetch_all(store, listed, more, location, place)
            listed = Listed(listed.root, (*listed.objects, *more), listed.source)
    except (OSError, InputError) as error:
        before = _fetched_before(place) if is_unreachable(error) else None
        if before is None:
            if isinstance(error, InputError) or lacks_space(error):
                raise
            raise location.refusal(error) from None
        yield Remark(
            f"{location.url} cannot be reached; what was fetched {before['when']} is taken"
        )
        return place.files / str(before["source"])
    place.keep_only(listed.objects)
    objects = [[each.name, each.size, each.written] for each in listed.objects]
    when = time.strftime("%Y-%m-%d %H:%M")
    write_json(
        place.record,
        {"url": location.url, "when": when, "source": listed.source, "objects": objects},
    )
    return place.files / listed.source


def _fetched_before(place: _Place) -> dict[str, Any] | None:
    """Give the record of what was fetched, if all of it lies here as it did then."""
    if not place.record.exists():
        return None
    record: dict[str, Any] = read_json(place.record)
    return record if all(place.holds(Stored(*each)) for each in record["objects"]) else None


def _images_of_manifest(
    store: Any, location: Location, listed: Listed, place: _Place, data: DataConfig
) -> Steps[tuple[Stored, ...]]:
    if data.root is not None:  # the images are here already
        return ()
    path = place.files / listed.source
    column = column_of(read_table(path), data.image_column, location.url)
    images = {split_reference(image)[0] for image in column}
    return (yield from named_by_manifest(store, location, listed.root, images))


def _fetch_all(
    store: Any, listed: Listed, objects: Iterable[Stored], location: Location, place: _Place
) -> Iterator[Step]:
    """Fetch the objects that are not here; the first fault stops the rest."""
    missing = [each for each in objects if not place.holds(each)]
    size = sum(each.size for each in missing)
    _refuse_without_space(place, size, location)
    said = f"fetching {location.url} ({size / 1e6:,.1f} MB)"
    done = 0
    pool = ThreadPoolExecutor(AT_ONCE)
    try:
        for start in range(0, len(missing), _AHEAD):
            yield Step(said, done, len(missing))
            futures = [
                pool.submit(_fetch, store, listed.root, each, location, place)
                for each in missing[start : start + _AHEAD]
            ]
            for future in as_completed(futures):
                future.result()
                done += 1
                yield Step(said, done, len(missing))
    finally:
        pool.shutdown(cancel_futures=True)


def _fetch(store: Any, root: str, stored: Stored, location: Location, place: _Place) -> None:
    target = place.files / stored.name
    try:
        with whole_file(target) as temporary:
            with (
                store.open_input_stream(f"{root}/{stored.name}") as stream,
                temporary.open("wb") as file,
            ):
                shutil.copyfileobj(stream, file, _CHUNK)
            found = temporary.stat().st_size
            if found != stored.size:
                fault = f"{stored.name} has {found} bytes, and {stored.size} when it was listed"
                raise InputError(location.url, fault, "run the same command when it is at rest")
            os.utime(temporary, ns=(stored.written, stored.written))
    except FileNotFoundError:
        fault = f"{stored.name} is gone since it was listed"
        raise InputError(location.url, fault, "run the same command") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        fault = f"{stored.name} is an object, and so is a part of its path"
        raise InputError(location.url, fault, "rename one of them") from None


def _refuse_without_space(place: _Place, size: int, location: Location) -> None:
    place.files.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(place.files).free
    if size > free:
        raise DiskFullError(
            f"{place.path}: {size / 1e9:,.1f} GB of {location.url} are to be fetched, and "
            f"{free / 1e9:,.1f} GB are free; free some, or name another disk as cluster.cache"
        )
