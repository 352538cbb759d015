"""`Mirror`: the copy of a run folder on this machine, where the run folder is in an object store.

All of raymed reads and writes the copy. What the driver changes there it puts into the store;
attempts are put there by the units that write them.
"""

import re
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from raymed.data.intake.objects.listing import Stored
from raymed.files import read_json, write_text
from raymed.runs.conditional import Conditional
from raymed.runs.lease import LEASE
from raymed.runs.store import RunStore, is_same

AT_ONCE = 16
SCRATCH = "scratch"
_MARKER = re.compile(r"(^|/)fold-\d+/DONE\.json$")
_OF_ATTEMPT = re.compile(r"(^|/)fold-\d+/(?P<attempt>[^/]+)/")
_TOKEN = ".attempt"


@dataclass
class Mirror:
    """The copy at `path` of what lies in `store`."""

    path: Path
    store: RunStore
    _known: dict[str, Stored] = field(default_factory=dict)
    """What the store holds, as far as this process has read or written it."""
    _pushing: threading.Lock = field(default_factory=threading.Lock)

    @property
    def token(self) -> str | None:
        """The attempt of the last driver that brought this copy up to date and went on in it."""
        with suppress(OSError):
            return (self.path / _TOKEN).read_text(encoding="utf-8")
        return None

    def bring(self, attempt: str | None) -> Iterator[tuple[int, int]]:
        """Make the copy what the store holds; tells how many objects are there, of all.

        `attempt` is the last that the store knows of. Where its driver worked in this copy, what
        differs here is newer, and stays; elsewhere the store is right. Attempts come only where
        the marker of their fold names them.
        """
        listed = {name: each for name, each in self.store.list().items() if _is_ours(name)}
        newer_here = self._is_newer_than(attempt)
        if not newer_here:
            (self.path / _TOKEN).unlink(missing_ok=True)
            self._remove_all_but(listed)
        plain = [each for name, each in listed.items() if not _OF_ATTEMPT.search(name)]
        yield from self._fetch(plain, newer_here)
        named = [each for name, each in listed.items() if self._is_named(name)]
        yield from self._fetch(named, newer_here)
        self._known = listed

    def bring_some(self, suffixes: tuple[str, ...], attempt: str | None) -> None:
        """Bring only the files that end so, attempts left out; what is newer here stays."""
        listed = self.store.list().values()
        wanted = [each for each in listed if each.name.endswith(suffixes) and _is_ours(each.name)]
        plain = [each for each in wanted if not _OF_ATTEMPT.search(each.name)]
        deque(self._fetch(plain, self._is_newer_than(attempt)), maxlen=0)

    def _is_newer_than(self, attempt: str | None) -> bool:
        """Tell whether the last driver that the store knows of worked in this copy."""
        return attempt is not None and attempt == self.token

    def belongs_to(self, attempt: str) -> None:
        """Write down whose work the copy holds from now on."""
        write_text(self.path / _TOKEN, attempt)

    def push(self, objects: Conditional) -> None:
        """Put into the store what changed here, markers of folds last; delete there what is gone.

        The marker of a fold goes there only where it is what this process knows: where another
        driver's is there meanwhile, that one counts, and it is brought here with its attempt.
        """
        with self._pushing:
            here = dict(self._files())  # markers that are seen name files that are there
            changed = [name for name, file in here.items() if not self._holds(name, file)]
            markers = [name for name in changed if _MARKER.search(name)]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                rest = [name for name in changed if name not in set(markers)]
                for name, stored in zip(rest, pool.map(self._put, rest), strict=True):
                    if stored is not None:
                        self._known[name] = stored
            for name in markers:
                self._put_marker(name, objects)
            gone = [n for n in self._known if n not in here and not _OF_ATTEMPT.search(n)]
            self.store.delete(gone)
            for name in gone:
                del self._known[name]

    def _put(self, name: str) -> Stored | None:
        try:
            return self.store.put(self.path / name, name)
        except FileNotFoundError:  # deleted, or another in its place: next time
            return None

    def _put_marker(self, name: str, objects: Conditional) -> None:
        content = read_json(self.path / name)
        there = objects.read(name)
        mine = name in self._known or (there is not None and there.content == content)
        if there is None or mine:
            tag = None if there is None else there.tag
            if objects.write(name, content, tag) is not None:
                self._note(name)
                return
            there = objects.read(name)
        if there is not None:
            self._adopt(name, str(there.content.get("attempt")))

    def _adopt(self, name: str, attempt: str) -> None:
        prefix = f"{name.removesuffix('DONE.json')}{attempt}/"
        files = [each for each in self.store.list().values() if each.name.startswith(prefix)]
        deque(self._fetch(files, False), maxlen=0)
        marker = self.store.find(name)
        if marker is not None:
            self.store.fetch(marker, self.path / name)
            self._known[name] = marker

    def _note(self, name: str) -> None:
        """Take in how the store tells of what was just written there."""
        stored = self.store.find(name)
        if stored is not None:
            self.store.fetch(stored, self.path / name)
            self._known[name] = stored

    def _holds(self, name: str, file: Path) -> bool:
        stored = self._known.get(name)
        return stored is not None and is_same(stored, file)

    def _fetch(self, objects: list[Stored], newer_here: bool) -> Iterator[tuple[int, int]]:
        missing = [each for each in objects if self._lacks(each, newer_here)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            waiting = [pool.submit(self._fetch_one, each) for each in missing]
            try:
                for done, future in enumerate(as_completed(waiting)):
                    future.result()
                    yield done + 1, len(missing)
            finally:
                for future in waiting:
                    future.cancel()

    def _fetch_one(self, stored: Stored) -> None:
        with suppress(FileNotFoundError):  # deleted since it was listed
            self.store.fetch(stored, self.path / stored.name)

    def _lacks(self, stored: Stored, newer_here: bool) -> bool:
        file = self.path / stored.name
        return not (file.exists() if newer_here else is_same(stored, file))

    def _is_named(self, name: str) -> bool:
        """Tell whether the marker of a fold names the attempt that a file is of."""
        found = _OF_ATTEMPT.search(name)
        if found is None:
            return False
        marker = self.path / name[: found.start("attempt")] / "DONE.json"
        try:
            return bool(read_json(marker)["attempt"] == found["attempt"])
        except (OSError, LookupError, TypeError, ValueError):
            return False

    def _files(self) -> Iterator[tuple[str, Path]]:
        for file in sorted(self.path.rglob("*")):
            name = file.relative_to(self.path).as_posix()
            if _is_ours(name) and not _OF_ATTEMPT.search(name) and file.is_file():
                yield name, file

    def _remove_all_but(self, listed: dict[str, Stored]) -> None:
        for file in self.path.rglob("*"):
            name = file.relative_to(self.path).as_posix()
            if file.is_file() and _is_ours(name) and name not in listed:
                file.unlink(missing_ok=True)


def _is_ours(name: str) -> bool:
    """Tell whether a name is an artifact's: not hidden, no lock, nobody's scratch."""
    parts = name.split("/")
    hidden = any(part.startswith(".") for part in parts)
    return not hidden and not name.endswith(".lock") and parts[0] != SCRATCH and name != LEASE
