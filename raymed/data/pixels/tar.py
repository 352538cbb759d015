"""Image files inside a tar, read in place: nothing is unpacked."""

import posixpath
import tarfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from raymed.config import Intensity, Slices
from raymed.data.pixels.content import Extent, LooseFile
from raymed.data.pixels.contract import Frame, ImageFile
from raymed.data.pixels.opening import open_content
from raymed.data.pixels.recent import Recent
from raymed.errors import InputError

_BLOCK = 512
_CUT = "cut off, or still being written"


@dataclass(frozen=True)
class Member:
    """A file inside a tar: its name, and which bytes of the tar it is."""

    name: str
    start: int
    size: int


class TarImages:
    """A tar that stays open while images are read out of it."""

    def __init__(self, path: str) -> None:
        self._path, self._lock = path, threading.Lock()
        self._recent = Recent(self.inside)
        self._file: IO[bytes] | None = None
        self._members: dict[str, Member] = {}

    def frames(self, slices: Slices) -> tuple[str, ...]:
        """Refuse: the reader of tar sources names the members itself, with their labels."""
        raise InputError(self._path, "is a tar, not an image", "give it as data.source")

    def facts(self) -> Mapping[str, str]:
        """Tell nothing; its members may."""
        return {}

    def name(self, member: str) -> str:
        """Give the member's own name."""
        return member

    def inside(self, member: str) -> ImageFile:
        """Open a member."""
        place = f"{self._path}::{member}"
        if not member:
            raise InputError(self._path, "is a tar, not an image", "give it as data.source")
        with self._lock:
            if self._file is None:
                self._members = {found.name: found for found in tar_members(self._path)}
                self._file = LooseFile(self._path).open()
        found = self._members.get(member)
        if found is None:
            raise InputError(place, "the tar has no such member", "see tar -tf")
        return open_content(Extent(place, self._file, found.start, found.size))

    def read(self, frame: str, rule: Intensity) -> Frame:
        """Read a member, or one frame of it."""
        return self._recent.read(frame, rule)

    def close(self) -> None:
        """Let go of the file."""
        self._recent.forget()
        with self._lock:
            if self._file is not None:
                self._file.close()
            self._file, self._members = None, {}


def tar_members(path: str) -> Iterator[Member]:
    """List the files in a tar, hidden ones left out, in its order; links are followed.

    Raises `InputError` for what is no tar, is packed or was cut off, and for names that stand
    twice.
    """
    found: dict[str, Member] = {}
    try:
        with LooseFile(path).open() as file, tarfile.open(fileobj=file, mode="r:") as tar:
            for entry in tar:
                member = _member(entry, found, path)
                if member is None:
                    continue
                if member.name in found:
                    place = f"{path}::{member.name}"
                    raise InputError(place, "stands in the tar twice", "leave one out")
                found[member.name] = member
                yield member
            _refuse_cut(tar, path)
    except (tarfile.TarError, EOFError, OSError, ValueError) as error:
        last = f" after {next(reversed(found))}" if found else ""
        if "unexpected end of data" in str(error):
            raise InputError(path, f"is truncated{last}: {_CUT}", "copy it again") from None
        remedy = "" if found else "if it is packed, unpack it: gunzip, or zstd -d"
        raise InputError(path, f"cannot be read as tar{last} ({error})", remedy) from None


def _member(entry: tarfile.TarInfo, found: Mapping[str, Member], path: str) -> Member | None:
    """Give what an entry holds; None for folders and hidden files."""
    name = posixpath.normpath(entry.name)
    if any(part.startswith(".") for part in name.split("/")):
        return None
    if entry.islnk() or entry.issym():
        folder = posixpath.dirname(name) if entry.issym() else ""
        target = found.get(posixpath.normpath(posixpath.join(folder, entry.linkname)))
        if target is None:
            raise InputError(
                f"{path}::{name}",
                f"links to {entry.linkname}, which does not precede it in the tar",
                "write the file itself: tar --dereference --hard-dereference",
            )
        return Member(name, target.start, target.size)
    if entry.issparse():
        raise InputError(f"{path}::{name}", "is stored with holes", "write the tar without -S")
    return Member(name, entry.offset_data, entry.size) if entry.isreg() else None


def _refuse_cut(tar: tarfile.TarFile, path: str) -> None:
    """Refuse a tar whose list of members breaks off: tarfile takes that for its end."""
    with Path(path).open("rb") as file:
        file.seek(tar.offset)
        mark = file.read(_BLOCK)
    if mark != bytes(_BLOCK):
        names = tar.getnames()
        last = f" after {names[-1]}" if names else ""
        raise InputError(path, f"has no mark of its end{last}: {_CUT}", "copy or write it again")
