"""Going through many images in turn, each file opened once for all that is needed of it."""

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

from raymed.config import Intensity
from raymed.data.pixels.contract import Frame, ImageFile, split_reference
from raymed.data.pixels.opening import open_file

AHEAD = 16
"""Images that may be worked on beyond the oldest that is not done."""

_PART = 512


class _Shared:
    """A file that several images lie in: opened for the first, let go after the last."""

    def __init__(self, path: str) -> None:
        self._path, self._left = path, 0
        self._lock = threading.Lock()
        self._file: ImageFile | None = None

    def expect(self, uses: int) -> None:
        with self._lock:
            self._left += uses

    def opened(self) -> ImageFile:
        with self._lock:
            if self._file is None:
                self._file = open_file(self._path)
            return self._file

    def done(self) -> None:
        with self._lock:
            self._left -= 1
            if self._left == 0 and self._file is not None:
                self._file.close()
                self._file = None


@dataclass(frozen=True)
class Reference:
    """A reference to an image, and its file, which others may share."""

    path: str
    frame: str
    file: _Shared

    def opened(self) -> ImageFile:
        """Give the file; it must not be used after the work on this reference."""
        return self.file.opened()

    def read(self, rule: Intensity) -> Frame:
        """Read the image."""
        return self.opened().read(self.frame, rule)


Result = TypeVar("Result")


def in_turn(
    work: Callable[[Reference], Result],
    references: Sequence[str],
    part: int = _PART,
    *,
    threads: int = 2,
) -> Iterator[Result]:
    """Work on images in threads, in order, a part at a time so that little is held.

    A file stays open from a part to the next while both need it.
    """

    def finish(reference: Reference) -> Result:
        try:
            return work(reference)
        finally:
            reference.file.done()

    named = [split_reference(each) for each in references]
    files: dict[str, _Shared] = {}
    try:
        with ThreadPoolExecutor(threads) as pool:
            for start in range(0, len(named), part):
                now, later = named[start : start + part], named[start + part : start + 2 * part]
                files = _for_a_part(files, Counter(p for p, _ in now), {p for p, _ in later})
                yield from _ahead(pool, finish, [Reference(p, frame, files[p]) for p, frame in now])
                files = {path: files[path] for path in {p for p, _ in later} & files.keys()}
    finally:
        for file in files.values():
            file.done()


def _ahead(
    pool: Executor, work: Callable[[Reference], Result], references: Sequence[Reference]
) -> Iterator[Result]:
    """Work a little ahead of who asks: no thread falls far behind another in a file."""
    futures: deque[Future[Result]] = deque()
    for reference in references:
        futures.append(pool.submit(work, reference))
        if len(futures) == AHEAD:
            yield futures.popleft().result()
    while futures:
        yield futures.popleft().result()


def _for_a_part(
    held: dict[str, _Shared], uses: Mapping[str, int], later: Set[str]
) -> dict[str, _Shared]:
    """Open accounts for the files of a part; those needed `later` too are held beyond it."""
    files = {path: held.get(path) or _Shared(path) for path in uses}
    for path, file in files.items():
        file.expect(uses[path] + (path in later))
    for file in held.values():
        file.done()
    return files
