"""Decoding a manifest's images into the cache, once for all processes of the node."""

import os
import threading
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from queue import SimpleQueue
from typing import TextIO

import numpy as np

from raymed.data.decoded.entry import (
    PREPARATION,
    RUN,
    Entry,
    Indices,
    Rows,
    as_written,
    decoded_shape,
    identities,
)
from raymed.data.decoded.holding import hold
from raymed.data.decoded.worker import Job, Part, Worker
from raymed.data.images import Pixels
from raymed.data.intake.manifest import Manifest
from raymed.data.pixels import split_reference
from raymed.files import take_lock

_MOST_THREADS = 4
_TRIED, _LONG = 2.0, 10.0
"""Seconds that threads decode before it is judged what is left; how long that must be for processes
to be worth their start."""
_LOOK = 0.2
"""Seconds between two looks at what another process decodes."""
_PART = 64


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
    rows["pixels"][~kept] = 0
    left = _taken_over(entry, size, pixels, rows)
    if len(left) < count:
        yield Decoding(count - len(left))
    job = Job(entry.folder, size, manifest.channels, manifest.intensity)
    references = manifest.table["image"].tolist()
    done = count - len(left)
    for more in _decoded(job, [(int(row), references[row]) for row in left], processes):
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


def _taken_over(entry: Entry, size: int, pixels: Pixels, rows: Rows) -> Indices:
    """Copy what other whole entries hold of the missing images; returns the rows still missing."""
    missing = np.flatnonzero(rows["pixels"] == 0)
    channels = 1 if pixels.ndim == 3 else 3
    for folder in sorted(entry.folder.parent.glob(f"*-{size}px")):
        if not len(missing):
            break
        other = Entry(folder)
        facts = other.facts()
        asked = {"size": size, "channels": channels, "preparation": PREPARATION}
        if folder == entry.folder or facts is None or not asked.items() <= facts.items():
            continue
        found = other.open("r")
        if found is None or found[0].shape[1:] != pixels.shape[1:]:
            continue
        places = {image.tobytes(): at for at, image in enumerate(found[1]["image"])}
        for row in missing:
            at = places.get(rows["image"][row].tobytes())
            if at is not None and as_written(*found, np.array([at])).all():
                pixels[row] = found[0][at]
                rows["pixels"][row] = found[1]["pixels"][at]
        missing = np.flatnonzero(rows["pixels"] == 0)
    return missing


def _decoded(job: Job, left: Part, processes: int | None) -> Iterator[int]:
    """Decode what is left, file by file; yields how many images more are there."""
    first: dict[str, int] = {}
    for place, (_, reference) in enumerate(left):
        first.setdefault(split_reference(reference)[0], place)
    left = sorted(left, key=lambda each: first[split_reference(each[1])[0]])
    cores = len(os.sched_getaffinity(0))
    if processes is None or processes < 2:
        started, done = time.monotonic(), 0
        for one in job.decode(left, min(cores, _MOST_THREADS)):
            done += one
            yield one
            taken = time.monotonic() - started
            is_long = taken > _TRIED and taken / done * (len(left) - done) > _LONG
            if processes is None and cores > 2 and is_long:
                processes = cores
                break
        left = left[done:]
    if left:
        processes = processes or cores
        yield from _in_processes(job, _parts(left, processes), processes)


def _parts(left: Part, processes: int) -> list[Part]:
    """Cut into parts of whole files, some for each process."""
    most = min(_PART, max(1, len(left) // (4 * processes)))
    parts: list[list[tuple[int, str]]] = []
    for _, frames in groupby(left, key=lambda each: split_reference(each[1])[0]):
        if not parts or len(parts[-1]) >= most:
            parts.append([])
        parts[-1] += frames
    return [*parts]


def _in_processes(job: Job, parts: list[Part], count: int) -> Iterator[int]:
    """Decode parts in processes, each taking the next one when it is done."""
    said: SimpleQueue[int | Exception | None] = SimpleQueue()
    waiting, lock = iter(parts), threading.Lock()

    def serve(worker: Worker) -> None:
        try:
            while True:
                with lock:
                    part = next(waiting, None)
                if part is None:
                    break
                for more in worker.decode(part):
                    said.put(more)
        except Exception as error:
            said.put(error)
        said.put(None)

    workers = [Worker(job) for _ in range(min(count, len(parts)))]
    threads = [threading.Thread(target=serve, args=(each,), daemon=True) for each in workers]
    try:
        for thread in threads:
            thread.start()
        running = len(threads)
        while running:
            word = said.get()
            if isinstance(word, Exception):
                raise word
            if word is None:
                running -= 1
            else:
                yield word
    finally:
        for worker in workers:
            worker.end()
