"""Locks that the system takes back from a killed holder: of the journal, and of a whole study."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from optuna.storages import BaseStorage, RDBStorage
from optuna.storages.journal._file import BaseJournalFileLock
from sqlalchemy import text

CHUNK = 65_536


class JournalLock(BaseJournalFileLock):
    """An exclusive `flock` on the journal itself.

    Optuna's own locks are files that a killed holder leaves behind, and that others wait 30 s for.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def acquire(self) -> bool:
        """Wait for the lock; then cut off the half line that a killed writer may have left.

        Without that the next record would continue the half line, and nobody could read on.
        """
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o666)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            _cut_half_line(descriptor)
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _cut_half_line(descriptor: int) -> None:
    end = os.fstat(descriptor).st_size
    if end == 0 or os.pread(descriptor, 1, end - 1) == b"\n":
        return
    while end > 0:
        start = max(0, end - CHUNK)
        newline = os.pread(descriptor, end - start, start).rfind(b"\n")
        if newline >= 0:
            os.ftruncate(descriptor, start + newline + 1)
            return
        end = start
    os.ftruncate(descriptor, 0)


@contextmanager
def study_lock(storage: BaseStorage, name: str, folder: Path) -> Iterator[None]:
    """Be the only driver, for the block, that asks, adopts or enqueues in a study; no nesting.

    A database server locks a row that Optuna reads but never locks itself; elsewhere all drivers
    see the folder, and lock a file in it. Either lock ends with its holder.
    """
    if isinstance(storage, RDBStorage) and storage.engine.dialect.name != "sqlite":
        with storage.engine.begin() as connection:
            connection.execute(
                text(
                    "SELECT study_direction_id FROM study_directions WHERE study_id = "
                    "(SELECT study_id FROM studies WHERE study_name = :name) FOR UPDATE"
                ),
                {"name": name},
            )
            yield
        return
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "study.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
