"""What every reader of image files gives."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol, Self, runtime_checkable

import numpy as np
import numpy.typing as npt
from PIL import Image

from raymed.config import Intensity, Slices

GREY = frozenset({"1", "L", "LA"})
"""Modes of 8-bit images that are one channel; all others are three."""

MOST_STRETCHED = 20
"""What says that distances differ by more is taken for an error, and changes nothing."""

_REFERENCE = re.compile(r"(.+?)::((?:\w+/)?\d+)", re.DOTALL)
_HOLDERS = (".tar", ".parquet", ".pq")
_INSIDE = re.compile(
    rf"(.+?(?:{'|'.join(map(re.escape, _HOLDERS))}))::(.+)", re.DOTALL | re.IGNORECASE
)


@dataclass(frozen=True, eq=False)
class Frame:
    """One image, 8 bits a channel, and the SHA-256 that tells its content.

    `identity` is that of the file's bytes where these are one 8-bit image, else of the pixels.
    """

    image: Image.Image
    identity: str

    @classmethod
    def of_pixels(
        cls, pixels: npt.NDArray[np.uint8], spacing: tuple[float, float] = (1, 1)
    ) -> Self:
        """Take uint8 [h, w] or [h, w, 3], with the distance between rows and between columns.

        Where these differ by over 1 % the picture is stretched until they are equal.
        """
        pixels = np.ascontiguousarray(_squared(pixels, spacing))
        shape = np.asarray(pixels.shape, dtype=np.int64).tobytes()
        return cls(Image.fromarray(pixels), hashlib.sha256(shape + pixels.tobytes()).hexdigest())

    @property
    def channels(self) -> int:
        """1 for grey, 3 for colour."""
        return 1 if self.image.mode in GREY else 3


class ImageFile(Protocol):
    """A file of one kind, opened. Faults are `InputError`s that name the file.

    It may be used by several threads, and is closed when nothing more is read.
    """

    def frames(self, slices: Slices) -> tuple[str, ...]:
        """Name its frames; `("",)` where the file is one image. Reads no pixels."""
        ...

    def facts(self) -> Mapping[str, str]:
        """Tell what it says of its origin (see `dicom.FACTS`); empty for most formats."""
        ...

    def read(self, frame: str, rule: Intensity) -> Frame:
        """Read one frame, and no more of the file than that takes."""
        ...

    def close(self) -> None:
        """Let go of the file."""
        ...


@runtime_checkable
class Container(Protocol):
    """An `ImageFile` that holds whole image files.

    Its frames are `member`, or `member::frame` where the member holds several.
    """

    def name(self, member: str) -> str:
        """Tell the member's own file name; `""` where it has none. Reads no pixels."""
        ...

    def inside(self, member: str) -> ImageFile:
        """Open a member, for as long as this file is open."""
        ...


def _squared(pixels: npt.NDArray[np.uint8], spacing: tuple[float, float]) -> npt.NDArray[np.uint8]:
    least, most = min(spacing), max(spacing)
    if not 0 < least < most < MOST_STRETCHED * least or most < 1.01 * least:
        return pixels
    height, width = (
        max(1, round(count * distance / least))
        for count, distance in zip(pixels.shape[:2], spacing, strict=True)
    )
    stretched = Image.fromarray(np.ascontiguousarray(pixels)).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return np.asarray(stretched)


def split_reference(reference: str) -> tuple[str, str]:
    """Split a reference into its path and its frame, `""` where the file is one image.

    In a tar or a Parquet file the frame is a member or a row, and may have a frame of its own.
    """
    found = _INSIDE.fullmatch(reference) or _REFERENCE.fullmatch(reference)
    return (found[1], found[2]) if found else (reference, "")


def holds_files(path: str) -> bool:
    """Tell, by its name, whether a file is a `Container`."""
    return path.lower().endswith(_HOLDERS)


def join_reference(path: str, frame: str) -> str:
    """Name a frame of a file."""
    return f"{path}::{frame}" if frame else path


def numbered_frames(count: int) -> tuple[str, ...]:
    """Number frames from 0 so that text sorts as numbers do; one frame needs no number."""
    if count == 1:
        return ("",)
    width = len(str(count - 1))
    return tuple(f"{number:0{width}}" for number in range(count))
