"""Decoding a manifest's images into the cache, once for all processes of the node."""

import os
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from raymed.data.decoded.entry import (
    PREPARATION,
    RUN,
    Entry,
    Rows,
    as_written,
    decoded_shape,
    identities,
)
from raymed.data.decoded.spreading import decode_all
from raymed.data.decoded.worker import Job
from raymed.data.holding import hold
from raymed.data.images import Pixels
from raymed.data.intake.manifest import Manifest
from raymed.files import take_lock

_LOOK = 0.2
"""Seconds between two looks at what another process decodes."""


@dataclass(frozen=True)
class Decoding:
    """How many images are there, and whether another process decodes; or a word to the reader."""

    done: int
    elsewhere: bool = False
    note: str = ""


def decode_images(
    manifest: Manifest, size: int, target: Path, *, processes: int | None = None
) -> Iterator[Decoding]:
    """Fill `target` (see `image_file`), telling how many images are done; nothing if it is whole.

    Of several processes one decodes, the others wait, and one of them goes on if it dies. What was
    decoded before, for these images or in another manifest, is not decoded again. `processes` is by
    default the processor's cores where what is left would take long, else threads decode. Raises
    `OSError` where the cache cannot be written or has no space, `InputError` for an image that
    cannot be read any more.
    """
    entry = Entry(target.parent)
    hold(entry.folder)
    lock = yield from _turn(entry)
    if lock is None:
        return
    try:
        yield from _fill(manifest, size, entry, processes)
    finally:
        entry.lock.unlink(missing_ok=True)
        lock.close()


def _turn(entry: Entry) -> Generator[Decoding, None, TextIO | None]:
    """Wait for the right to decode; None once the entry is whole."""
    while (state := entry.state()) != "whole":
        lock = take_lock(entry.lock, f"process {os.getpid()}")
        if lock is None:
            yield Decoding(entry.done(), elsewhere=True)
            time.sleep(_LOOK)
        elif entry.facts() is not None and entry.state() == "whole":  # a moment ago
            entry.lock.unlink(missing_ok=True)
            lock.close()
            return None
        else:
            if state == "harmed":
                note = f"{entry.folder} is harmed: what does not hold its checksum is decoded again"
                yield Decoding(0, note=note)
            return lock
    return None


def _fill(manifest: Manifest, size: int, entry: Entry, processes: int | None) -> Iterator[Decoding]:
    count = len(manifest.table)
    shape = decoded_shape(count, size, manifest.channels)
    entry.marker.unlink(missing_ok=True)
    images = manifest.table["checksum"].tolist()
    pixels, rows = _opened(entry, shape, images) or entry.make(shape, images)
    kept = np.zeros(count, dtype=np.bool_)
    for start in range(0, count, RUN):
        run = np.arange(start, min(start + RUN, count))
        kept[run] = as_written(pixels, rows, run)
        if kept[run].any():
            yield Decoding(int(kept.sum()))
    rows["pixels"][~kept] = 0
    yield from _take_over(entry, size, pixels, rows)
    left = np.flatnonzero(rows["pixels"] == 0)
    job = Job(entry.folder, size, manifest.channels, manifest.intensity)
    references = manifest.table["image"].tolist()
    done = count - len(left)
    for more in decode_all(job, [(int(row), references[row]) for row in left], processes):
        done += more
        yield Decoding(done)
    entry.mark(size, shape)


def _opened(
    entry: Entry, shape: tuple[int, ...], images: Sequence[str]
) -> tuple[Pixels, Rows] | None:
    """Map what an earlier decoding of the same images left, whole or not."""
    found = entry.open("r+")
    if found is None or found[0].shape != shape:
        return None
    return found if np.array_equal(found[1]["image"], identities(images)) else None


def _take_over(entry: Entry, size: int, pixels: Pixels, rows: Rows) -> Iterator[Decoding]:
    """Copy what other entries hold of the missing images."""
    asked = {"size": size, "channels": 1 if pixels.ndim == 3 else 3, "preparation": PREPARATION}
    for folder in sorted(entry.folder.parent.glob(f"*-{size}px")):
        missing = np.flatnonzero(rows["pixels"] == 0)
        if not len(missing):
            return
        facts, found = Entry(folder).facts(), Entry(folder).open("r")
        if folder == entry.folder or facts is None or not asked.items() <= facts.items():
            continue
        if found is None or found[0].shape[1:] != pixels.shape[1:]:
            continue
        places = {image.tobytes(): at for at, image in enumerate(found[1]["image"])}
        count = 0
        for row in missing:
            at = places.get(rows["image"][row].tobytes())
            if at is not None and as_written(*found, np.array([at])).all():
                pixels[row], rows["pixels"][row] = found[0][at], found[1]["pixels"][at]
                count += 1
                if count % RUN == 0:
                    yield Decoding(len(rows) - len(missing) + count)
        if count % RUN:
            yield Decoding(len(rows) - len(missing) + count)
