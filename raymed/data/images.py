"""Single images: opening, checking, bringing to a size."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageOps

from raymed.config import AS_FILES_SAY, Intensity
from raymed.data.pixels import Frame, ImageFile, open_file, split_reference
from raymed.data.pixels.pictures import on_black
from raymed.errors import InputError

Pixels = npt.NDArray[np.uint8]
_PART = 512


@dataclass(frozen=True)
class Inspection:
    """What opening one image tells: its content's SHA-256, 1 or 3 channels, or its fault."""

    checksum: str = ""
    channels: int = 0
    fault: InputError | None = None


def inspect_images(
    references: Sequence[str], rule: Intensity = AS_FILES_SAY
) -> Iterator[Inspection]:
    """Open every image, in order; a fault is told, not raised, so that all can be named."""

    def inspect(image: "_Image") -> Inspection:
        try:
            frame = image.read(rule)
        except InputError as error:
            return Inspection(fault=error)
        return Inspection(frame.identity, frame.channels)

    yield from _in_threads(inspect, references)


def load_images(
    references: Sequence[str], size: int, channels: int, rule: Intensity = AS_FILES_SAY
) -> Iterator[Pixels]:
    """Decode images one by one as uint8 [size, size] (1 channel) or [size, size, 3].

    The picture keeps its proportions: it is scaled to fit, centred, and padded with black.
    """
    yield from _in_threads(lambda item: prepare(item.read(rule).image, size, channels), references)


def prepare(image: Image.Image, size: int, channels: int) -> Pixels:
    """Bring an opened image to its number of channels and its size."""
    upright = on_black(ImageOps.exif_transpose(image)).convert("L" if channels == 1 else "RGB")
    if upright.size != (size, size):
        upright = ImageOps.pad(upright, (size, size), method=Image.Resampling.BICUBIC)
    return np.asarray(upright)


class _Shared:
    """A file that several images lie in: opened for the first, let go after the last."""

    def __init__(self, path: str, uses: int) -> None:
        self._path, self._left = path, uses
        self._lock = threading.Lock()
        self._file: ImageFile | None = None

    def read(self, frame: str, rule: Intensity) -> Frame:
        with self._lock:
            if self._file is None:
                self._file = open_file(self._path)
            file = self._file
        return file.read(frame, rule)

    def done(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0 and self._file is not None:
                self._file.close()
                self._file = None


@dataclass(frozen=True)
class _Image:
    file: _Shared
    frame: str

    def read(self, rule: Intensity) -> Frame:
        """Read it, once."""
        try:
            return self.file.read(self.frame, rule)
        finally:
            self.file.done()


Result = TypeVar("Result")


def _in_threads(work: Callable[[_Image], Result], references: Sequence[str]) -> Iterator[Result]:
    """Work on images in two threads, in order, a part at a time so that little is held."""
    with ThreadPoolExecutor(2) as pool:
        for start in range(0, len(references), _PART):
            named = [split_reference(each) for each in references[start : start + _PART]]
            uses = Counter(path for path, _ in named)
            files = {path: _Shared(path, count) for path, count in uses.items()}
            yield from pool.map(work, [_Image(files[path], frame) for path, frame in named])
