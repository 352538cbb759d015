"""`RunStore`: where a run folder lies in an object store, through `pyarrow.fs`."""

import os
import posixpath
import shutil
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Self, TypeVar

from raymed.data.intake.objects.listing import Stored
from raymed.data.intake.objects.location import Location, is_final
from raymed.errors import EngineError, InputError
from raymed.files import whole_file

PATIENCE_SECONDS = 300.0
"""How long a store may answer errors, or nothing, before what waits for it gives up."""
_PAUSES = (0.5, 15.0)
_SMALL = 2**23
"""Bytes that are written as one request, whole or not at all."""
_MOMENT = 10**6  # ns
_SINGLE = (("allow_delayed_open", "true"),)

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class RunStore:
    """A prefix of a bucket. Names are relative to it, with `/` between their parts.

    What the store answers with an error is tried again for five minutes; then `EngineError` names
    what was waited for. Raises `InputError` where access is denied or the bucket is not there.
    """

    location: Location
    patience: float = PATIENCE_SECONDS

    @classmethod
    def at(cls, url: str) -> Self:
        """Take a URL; it is not asked yet whether anything is there."""
        location = Location.of(url.rstrip("/"))
        if location.scheme != "s3":
            raise InputError(url, "a run folder is a local path or a URL of s3://", "give another")
        if not posixpath.dirname(location.path) or ".." in location.path.split("/"):
            raise InputError(url, "names no folder of a bucket", "write s3://BUCKET/FOLDER")
        return cls(location)

    @property
    def url(self) -> str:
        """The URL."""
        return self.location.url

    def below(self, name: str) -> Self:
        """Give a folder in this one."""
        plain, mark, query = self.url.partition("?")
        place = replace(
            self.location,
            url=f"{plain}/{name}{mark}{query}",
            path=f"{self.location.path}/{name}",
        )
        return replace(self, location=place)

    def key(self, name: str) -> str:
        """Name an object as `pyarrow.fs` does, the bucket first."""
        return f"{self.location.path}/{name}"

    def list(self) -> dict[str, Stored]:
        """List all objects, in one call for each thousand."""
        from pyarrow import fs

        def listed() -> dict[str, Stored]:
            root = self.location.path
            found = self.files.get_file_info(
                fs.FileSelector(root, allow_not_found=True, recursive=True)
            )
            infos = [info for info in found if info.type == fs.FileType.File]
            names = {info.path[len(root) + 1 :]: info for info in infos}
            return {
                name: Stored(name, info.size, info.mtime_ns)
                for name, info in names.items()
                if _is_safe(name)
            }

        return self.patiently("listing it", listed)

    def find(self, name: str) -> Stored | None:
        """Ask for one object; None where there is none."""
        from pyarrow import fs

        info = self.patiently(f"finding {name}", lambda: self.files.get_file_info(self.key(name)))
        return Stored(name, info.size, info.mtime_ns) if info.type == fs.FileType.File else None

    def read(self, name: str) -> bytes:
        """Read a small object. Raises `FileNotFoundError` where there is none."""

        def read() -> bytes:
            with self.files.open_input_stream(self.key(name)) as stream:
                content: bytes = stream.read()
            return content

        return self.patiently(f"reading {name}", read)

    def fetch(self, stored: Stored, target: Path) -> None:
        """Copy an object to a file, which gets the time that the store tells.

        Raises `FileNotFoundError` for one that is gone.
        """

        def copy() -> None:
            with whole_file(target) as temporary:
                with (
                    self.files.open_input_stream(self.key(stored.name)) as stream,
                    temporary.open("wb") as file,
                ):
                    shutil.copyfileobj(stream, file, _SMALL)
                os.utime(temporary, ns=(stored.written, stored.written))

        self.patiently(f"reading {stored.name}", copy)

    def put(self, file: Path, name: str) -> Stored:
        """Copy a file to an object; the file gets the time that the store tells.

        A file that another takes the place of meanwhile keeps its own time, and so is seen to
        differ. Raises `FileNotFoundError` for one that is gone.
        """
        with file.open("rb") as content:

            def copy() -> None:
                content.seek(0)
                first = content.read(_SMALL)  # an error amid the stream would leave a part there
                with self.files.open_output_stream(self.key(name)) as stream:
                    stream.write(first)
                    shutil.copyfileobj(content, stream, _SMALL)

            self.patiently(f"writing {name}", copy)
            stored = self.find(name)
            if stored is None:
                raise EngineError(f"{self.url}: {name} is not there after it was written")
            os.utime(content.fileno(), ns=(stored.written, stored.written))
        return stored

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects; those that are gone are no error."""
        for name in names:
            try:
                self.patiently(f"deleting {name}", partial(self.files.delete_file, self.key(name)))
            except FileNotFoundError:
                continue

    def delete_below(self, name: str) -> None:
        """Delete all objects of a folder."""
        key = self.key(name)
        try:
            self.patiently(f"deleting {name}", lambda: self.files.delete_dir(key))
        except FileNotFoundError:
            return

    def delete_all(self) -> None:
        """Delete the folder itself."""
        above, _, name = self.location.path.rpartition("/")
        replace(self, location=replace(self.location, path=above)).delete_below(name)

    @property
    def files(self) -> Any:
        """The file system, connected once a process."""
        return _connected(self.location)

    def patiently(self, what: str, call: Callable[[], Answer]) -> Answer:
        """Call until the store answers otherwise than with an error, for as long as is allowed."""
        deadline, pause = time.monotonic() + self.patience, _PAUSES[0]
        while True:
            try:
                return call()
            except FileNotFoundError:
                raise
            except OSError as error:
                if error.errno:  # of this machine
                    raise
                if is_final(error):
                    raise self.location.refusal(error) from None
                if time.monotonic() > deadline:
                    told = " ".join(str(error).split())[:300]
                    raise EngineError(
                        f"{self.url}: waited {self.patience:.0f} s for {what} ({told}); what is "
                        "complete stays: run the same command when the store answers"
                    ) from error
            time.sleep(pause)
            pause = min(2 * pause, _PAUSES[1])


def is_same(stored: Stored, file: Path) -> bool:
    """Tell, by size and time, whether a file is as the store has it."""
    try:
        status = file.stat()
    except OSError:
        return False
    return status.st_size == stored.size and abs(status.st_mtime_ns - stored.written) < _MOMENT


def bring_one(store: RunStore, name: str, file: Path) -> None:
    """Make a file what the store holds; raises `EngineError` where that is nothing."""
    stored = store.find(name)
    if stored is None:
        raise EngineError(f"{store.url}: {name} is not there; run the same command")
    if not is_same(stored, file):
        store.fetch(stored, file)


@lru_cache(maxsize=8)
def _connected(location: Location) -> Any:
    """Connect so that a small object is one request."""
    return replace(location, options=(*location.options, *_SINGLE)).connect()


def _is_safe(name: str) -> bool:
    """Tell whether a name can be a file's below the folder."""
    parts = name.split("/")
    return {"", ".", ".."}.isdisjoint(parts) and "\0" not in name
