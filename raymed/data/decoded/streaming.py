"""Images that are decoded anew each time they are asked for, where the cache has no room."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymed.config import AS_FILES_SAY, Intensity
from raymed.data.arrays import open_array
from raymed.data.decoded.entry import decoded_shape
from raymed.data.images import Pixels, load_images, prepare
from raymed.data.intake.manifest import Manifest
from raymed.data.pixels import ImageFile, open_file, split_reference

_KEPT = 2
"""Files of many frames that stay open between batches: a volume or an npz is unpacked once."""
_RUN = 64


class StreamedImages:
    """The decoded images of a cache, without the cache: indexed by rows as the array would be.

    uint8 [samples, size, size] or [samples, size, size, 3], the same bits. Each time an image is
    asked for, its file is read and decoded; only the result is in memory.
    """

    dtype = np.dtype(np.uint8)

    def __init__(
        self,
        references: Sequence[str],
        size: int,
        channels: int,
        rule: Intensity = AS_FILES_SAY,
        *,
        threads: int = 2,
    ) -> None:
        """Take the references of a manifest, in its order."""
        self._references, self._size, self._channels, self._rule = references, size, channels, rule
        self._threads = threads
        self._kept: dict[str, ImageFile] = {}

    @classmethod
    def of(cls, manifest: Manifest, size: int) -> "StreamedImages":
        """Stream the images of a manifest at one size."""
        references = manifest.table["image"].tolist()
        return cls(references, size, manifest.channels, manifest.intensity)

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return decoded_shape(len(self._references), self._size, self._channels)

    @property
    def ndim(self) -> int:
        """3 for grey, 4 for colour."""
        return len(self.shape)

    def __len__(self) -> int:
        """Count the samples."""
        return len(self._references)

    def __getitem__(self, key: Any) -> Pixels:
        """Decode what a number, a slice or an array of numbers or bools names along the samples.

        Of a tuple the rest is applied to what was decoded.
        """
        first, rest = (key[0], key[1:]) if isinstance(key, tuple) else (key, ())
        rows = np.arange(len(self))[first]
        if rows.ndim == 0:
            found: Pixels = self._decoded(rows.reshape(1))[0]
            return found[rest] if rest else found
        found = self._decoded(rows.ravel()).reshape(*rows.shape, *self.shape[1:])
        return found[(slice(None),) * rows.ndim + rest] if rest else found

    def __iter__(self) -> Iterator[Pixels]:
        """Decode one image after another, a few at a time."""
        for start in range(0, len(self), _RUN):
            yield from self[start : start + _RUN]

    def _decoded(self, rows: npt.NDArray[np.int64]) -> Pixels:
        """Decode each image once, file by file."""
        different, places = np.unique(rows, return_inverse=True)
        named = [split_reference(self._references[row]) for row in different]
        out = np.empty((len(different), *self.shape[1:]), dtype=np.uint8)
        alone = [at for at, (_, frame) in enumerate(named) if not frame]
        references = [named[at][0] for at in alone]
        decoded = load_images(
            references, self._size, self._channels, self._rule, threads=self._threads
        )
        for at, image in zip(alone, decoded, strict=True):
            out[at] = image
        frames: dict[str, list[int]] = {}
        for at, (path, frame) in enumerate(named):
            if frame:
                frames.setdefault(path, []).append(at)
        for path, within in frames.items():
            self._read_frames(path, [named[at][1] for at in within], within, out)
        return out if len(different) == len(rows) and (rows == different).all() else out[places]

    def _read_frames(self, path: str, frames: list[str], places: list[int], out: Pixels) -> None:
        """Decode frames of one file, which stays open for the next ones."""
        self._kept[path] = file = self._kept.pop(path, None) or open_file(path)
        with ThreadPoolExecutor(self._threads) as pool:
            for at, image in zip(places, pool.map(partial(self._frame, file), frames), strict=True):
                out[at] = image
        while len(self._kept) > _KEPT:
            self._kept.pop(next(iter(self._kept))).close()

    def _frame(self, file: ImageFile, frame: str) -> Pixels:
        return prepare(file.read(frame, self._rule).image, self._size, self._channels)


Images = Pixels | StreamedImages
"""Decoded images: both are indexed by rows, know `shape`, `dtype` and `ndim`, and are iterated."""


@dataclass(frozen=True)
class Streamed:
    """The images of a manifest file at one size, as they travel to another process."""

    manifest: Path
    size: int


Source = Path | Streamed
"""Where decoded images come from: a .npy file, or the files that a manifest lists."""


def open_images(source: Source) -> Images:
    """Open decoded images, read-only."""
    if isinstance(source, Streamed):
        return StreamedImages.of(Manifest.read(source.manifest), source.size)
    return open_array(source)
