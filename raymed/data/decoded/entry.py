"""One entry of the cache: the images of a manifest at one size, with the checksum of each."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from raymed.data.arrays import new_array
from raymed.data.images import Pixels
from raymed.errors import DiskFullError, InputError
from raymed.files import checksum, digest, read_json, write_json

if TYPE_CHECKING:
    from raymed.data.intake.manifest import Manifest

PREPARATION = "pad-bicubic-1"
"""Names how an image is brought to its size; part of every cache's key."""

FOLDER = "images"
SCHEMA = 2
"""Of an entry's marker: raise it when an older raymed could misread a newer entry."""

_PIXELS, _ROWS, _MARKER = "images.npy", "rows.npy", "DONE.json"
_ROW = np.dtype([("image", np.uint8, (32,)), ("pixels", np.uint64)])
RUN = 1024
"""Images that are read in one go."""

State = Literal["whole", "harmed", "absent"]
Rows = npt.NDArray[Any]
Stamps = dict[str, list[int]]
Indices = npt.NDArray[np.int64]

_read: dict[Path, Stamps] = {}
"""The entries that this process has read wholly, and found as written, with their stamps then."""


def image_file(cache: Path, manifest: "Manifest", size: int) -> Path:
    """Name the .npy file for a manifest's images at one size.

    It holds uint8 [samples, size, size], or [samples, size, size, 3] when any image has colour.
    """
    key = digest([manifest.images, size, PREPARATION])[:16]
    return cache / FOLDER / f"{key}-{size}px" / _PIXELS


def decoded_shape(count: int, size: int, channels: int) -> tuple[int, ...]:
    """Give the shape of so many decoded images."""
    return (count, size, size) if channels == 1 else (count, size, size, 3)


def pixel_sum(pixels: Pixels) -> int:
    """Compute the checksum of one decoded image, 64 bits, never 0."""
    found = hashlib.blake2b(np.ascontiguousarray(pixels).data, digest_size=8).digest()
    return int.from_bytes(found, "little") or 1


@dataclass(frozen=True)
class Entry:
    """A folder: `images.npy`, `rows.npy` with a row an image, and the marker, written last.

    A row is the image's own SHA-256 and the checksum of its decoded pixels, 0 before they are
    there. So a decoding that was killed goes on where it was, and another manifest's entry gives
    away what it shares.
    """

    folder: Path

    @property
    def pixels(self) -> Path:
        """The decoded images."""
        return self.folder / _PIXELS

    @property
    def rows(self) -> Path:
        """What each of them is."""
        return self.folder / _ROWS

    @property
    def marker(self) -> Path:
        """Says that all of them are there."""
        return self.folder / _MARKER

    @property
    def lock(self) -> Path:
        """Held by the process that decodes."""
        return self.folder / ".decoding"

    def facts(self) -> dict[str, Any] | None:
        """Read what the marker says; None where there is none that this raymed can read."""
        try:
            found = read_json(self.marker)
        except (OSError, InputError):
            return None
        known = isinstance(found, dict) and found.get("schema") == SCHEMA
        return found if known else None

    def state(self) -> State:
        """Tell whether all images are there as they were written.

        Where both files have the length and the time of change that the marker names, that is
        enough; else every pixel is read.
        """
        facts = self.facts()
        if facts is None:
            return "absent"
        if self.is_trusted() or all(self.check()):
            return "whole"
        return "harmed"

    def is_trusted(self) -> bool:
        """Tell whether both files are as the marker says, or as this process has read them."""
        facts, stamps = self.facts(), self._stamps()
        if facts is None or stamps is None:
            return False
        return stamps in (facts.get("stamps"), _read.get(self.folder))

    def check(self) -> Iterator[bool]:
        """Read everything, a run of images at a time; tells of each whether it is as written.

        Read to its end it makes trusted what is.
        """
        facts, stamps, good = self.facts(), self._stamps(), True
        found = self.open("r")
        if facts is None or found is None or len(found[1]) != facts.get("samples"):
            yield False
            return
        try:
            good = facts["files"] == {_ROWS: checksum(self.rows)}
        except (OSError, KeyError):
            good = False
        yield good
        pixels, rows = found
        for start in range(0, len(rows), RUN):
            places = np.arange(start, min(start + RUN, len(rows)))
            intact = bool(as_written(pixels, rows, places).all())
            good &= intact
            yield intact
        if good and stamps is not None:
            _read[self.folder] = stamps
            with suppress(OSError, DiskFullError):  # of another user: each process reads it
                self._write_marker(facts)

    def open(self, mode: Literal["r", "r+"]) -> tuple[Pixels, Rows] | None:
        """Map images and rows; None where they are not there or do not belong together."""
        try:
            pixels = np.load(self.pixels, mmap_mode=mode, allow_pickle=False)
            rows = np.load(self.rows, mmap_mode=mode, allow_pickle=False)
        except (OSError, ValueError, EOFError):
            return None
        fits = pixels.dtype == np.uint8 and rows.dtype == _ROW and len(pixels) == len(rows)
        return (pixels, rows) if fits else None

    def make(self, shape: tuple[int, ...], images: Iterable[str]) -> tuple[Pixels, Rows]:
        """Make both files, for images of these SHA-256; their space is taken at once.

        Whoever has older ones open keeps those. Raises `OSError` where there is no space.
        """
        self.discard()
        try:
            pixels = new_array(self.pixels, np.uint8, shape)
            rows = new_array(self.rows, _ROW, shape[:1])
            rows["image"] = identities(images)
        except BaseException:
            self.discard()
            raise
        return pixels, rows

    def discard(self) -> None:
        """Remove what was decoded."""
        for file in (self.marker, self.pixels, self.rows):
            file.unlink(missing_ok=True)

    def mark(self, size: int, shape: tuple[int, ...]) -> None:
        """Write the marker, once both files are on the disk."""
        for file in (self.pixels, self.rows):
            with file.open("rb") as written:
                os.fsync(written.fileno())
        channels = 1 if len(shape) == 3 else 3
        self._write_marker(
            {
                "schema": SCHEMA,
                "preparation": PREPARATION,
                "size": size,
                "channels": channels,
                "samples": shape[0],
                "files": {_ROWS: checksum(self.rows)},
            }
        )

    def done(self) -> int:
        """Count the images that are decoded so far."""
        found = self.open("r")
        return 0 if found is None else int(np.count_nonzero(found[1]["pixels"]))

    def _write_marker(self, facts: dict[str, Any]) -> None:
        write_json(self.marker, {**facts, "stamps": self._stamps()})

    def _stamps(self) -> Stamps | None:
        try:
            found = {name: (self.folder / name).stat() for name in (_PIXELS, _ROWS)}
        except OSError:
            return None
        return {name: [stat.st_size, stat.st_mtime_ns] for name, stat in found.items()}


def identities(images: Iterable[str]) -> npt.NDArray[np.uint8]:
    """Give SHA-256 as bytes, uint8 [images, 32]."""
    joined = bytes.fromhex("".join(images))
    return np.frombuffer(joined, dtype=np.uint8).reshape(-1, 32)


def as_written(pixels: Pixels, rows: Rows, places: Indices) -> npt.NDArray[np.bool_]:
    """Tell of each of some images whether it is decoded and its checksum holds."""
    sums = rows["pixels"][places]
    return np.array(
        [
            bool(sum_) and pixel_sum(pixels[at]) == sum_
            for at, sum_ in zip(places, sums, strict=True)
        ],
        dtype=np.bool_,
    )
