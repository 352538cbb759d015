"""Single images: opening, checking, bringing to a size."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from raymed.config import AS_FILES_SAY, Intensity
from raymed.data.appearance.measuring import Appearance, look_at
from raymed.data.pixels import Frame
from raymed.data.pixels.in_turn import Reference, in_turn
from raymed.data.pixels.pictures import on_black
from raymed.errors import InputError

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Inspection:
    """What opening one image tells: its content's SHA-256, 1 or 3 channels, or its fault.

    `appearance` is there where it was asked for.
    """

    checksum: str = ""
    channels: int = 0
    fault: InputError | None = None
    appearance: Appearance | None = None


def inspect_images(
    references: Sequence[str], rule: Intensity = AS_FILES_SAY, *, look: bool = False
) -> Iterator[Inspection]:
    """Open every image, in order; a fault is told, not raised, so that all can be named.

    With `look` each is measured as well (see `Appearance`).
    """

    def inspect(image: Reference) -> Inspection:
        try:
            frame = image.read(rule)
        except InputError as error:
            return Inspection(fault=error)
        seen = look_at(on_black(frame.image), _kind(frame, image.path)) if look else None
        return Inspection(frame.identity, frame.channels, appearance=seen)

    yield from in_turn(inspect, references)


def load_images(
    references: Sequence[str],
    size: int,
    channels: int,
    rule: Intensity = AS_FILES_SAY,
    *,
    threads: int = 2,
) -> Iterator[Pixels]:
    """Decode images one by one as uint8 [size, size] (1 channel) or [size, size, 3].

    The picture keeps its proportions: it is scaled to fit, centred, and padded with black. A file
    whose frames stand one after another is opened once.
    """

    def decode(image: Reference) -> Pixels:
        return prepare(image.read(rule).image, size, channels)

    yield from in_turn(decode, references, threads=threads)


def image_sides(
    references: Sequence[str], rule: Intensity = AS_FILES_SAY
) -> Iterator[tuple[int, int]]:
    """Give width and height of images one by one, in pixels, as they are looked at."""
    yield from in_turn(lambda item: ImageOps.exif_transpose(item.read(rule).image).size, references)


def prepare(image: Image.Image, size: int, channels: int) -> Pixels:
    """Bring an opened image to its number of channels and its size."""
    upright = on_black(ImageOps.exif_transpose(image)).convert("L" if channels == 1 else "RGB")
    if upright.size != (size, size):
        upright = ImageOps.pad(upright, (size, size), method=Image.Resampling.BICUBIC)
    return np.asarray(upright)


def _kind(frame: Frame, path: str) -> str:
    """Name the kind of file: as its content says, else as it is called."""
    return (frame.image.format or Path(path.removesuffix(".gz")).suffix.removeprefix(".")).lower()
