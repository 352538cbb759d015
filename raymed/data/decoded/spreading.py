"""Decoding in threads of this process, or in processes where there is much to decode."""

import os
import threading
import time
from collections.abc import Iterator
from itertools import groupby
from queue import SimpleQueue

from raymed.data.decoded.worker import Job, Part, Worker
from raymed.data.pixels import split_reference

_MOST_THREADS, _MOST_PROCESSES = 4, 16
_TRIED, _LONG = 2.0, 10.0
"""Seconds that threads decode before it is judged what is left; how long that must be for processes
to be worth their start."""
_PART = 64


def decode_all(job: Job, left: Part, processes: int | None) -> Iterator[int]:
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
            if processes is None and cores > 2 and is_long and _are_several(left[done:]):
                break
        left = left[done:]
    if left:
        processes = processes or min(cores, _MOST_PROCESSES)
        yield from _in_processes(job, _parts(left, processes), processes)


def _are_several(left: Part) -> bool:
    """Tell whether images lie in several files, which stand one after another."""
    paths = [split_reference(reference)[0] for _, reference in (*left[:1], *left[-1:])]
    return len(set(paths)) > 1


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
