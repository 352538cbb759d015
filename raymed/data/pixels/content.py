"""The bytes of an image file, wherever they lie: a file of their own, or a part of another."""

import io
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO, TYPE_CHECKING, Protocol

from raymed.errors import InputError

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MISSING = "no such image"


class Content(Protocol):
    """What a reader of images opens, as often as it likes and from several threads.

    `place` names it in messages; `name` is the file's own, whose suffix may tell its kind.
    """

    @property
    def place(self) -> str:
        """Where it lies."""
        ...

    @property
    def name(self) -> str:
        """The name of the file; `""` where it has none."""
        ...

    @property
    def size(self) -> int:
        """How many bytes there are."""
        ...

    def open(self) -> IO[bytes]:
        """Open it to read."""
        ...


@dataclass(frozen=True)
class LooseFile:
    """A file of its own."""

    place: str

    @property
    def name(self) -> str:
        """The last part of its path."""
        return Path(self.place).name

    @property
    def size(self) -> int:
        """How many bytes it has."""
        return Path(self.place).stat().st_size

    def open(self) -> IO[bytes]:
        """Open it; raises `InputError` where it is missing or may not be read."""
        try:
            return Path(self.place).open("rb")
        except FileNotFoundError:
            raise InputError(self.place, MISSING) from None
        except OSError as error:
            fault = f"cannot be read ({error.strerror or error})"
            raise InputError(self.place, fault) from None


@dataclass(frozen=True)
class Extent:
    """Bytes `start` to `start + size` of an open file, whose own position is never moved."""

    place: str
    file: IO[bytes]
    start: int
    size: int

    @property
    def name(self) -> str:
        """The last part of its place."""
        return PurePosixPath(self.place).name

    def open(self) -> IO[bytes]:
        """Open a view of it."""
        return io.BufferedReader(_View(self))


@dataclass(frozen=True)
class InMemory:
    """Bytes that were read already."""

    place: str
    name: str
    content: bytes

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.content)

    def open(self) -> IO[bytes]:
        """Open a view of them."""
        return io.BytesIO(self.content)


class _View(io.RawIOBase):
    """An extent as a file."""

    def __init__(self, extent: Extent) -> None:
        self._extent, self._at = extent, 0
        self.name = extent.place  # which pydicom asks for

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        origin = {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._extent.size}[whence]
        if origin + offset < 0:
            raise ValueError("negative seek position")
        self._at = origin + offset
        return self._at

    def readinto(self, buffer: "WriteableBuffer") -> int:
        target = memoryview(buffer).cast("B")
        left = max(0, self._extent.size - self._at)
        place = self._extent.start + self._at
        found = os.pread(self._extent.file.fileno(), min(len(target), left), place)
        target[: len(found)] = found
        self._at += len(found)
        return len(found)


def first_bytes(content: Content, count: int = 352) -> bytes:
    """Read how a file starts; raises `InputError` where there is none, or nothing in it."""
    with content.open() as file:
        try:
            start = file.read(count)
        except OSError as error:
            fault = f"cannot be read ({error.strerror or error})"
            raise InputError(content.place, fault) from None
    if not start:
        raise InputError(content.place, "the file is empty (0 bytes)")
    return start
