"""Who uses what of the cache: what a living process holds is never removed from it."""

import atexit
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TextIO

from raymed.files import is_locked, share_lock, take_lock

USED = ".used"
"""Held by every process that uses a folder of the cache; its time of change is the last use."""

_held: dict[Path, TextIO] = {}


def hold(folder: Path) -> None:
    """Keep a folder of the cache from being removed while this process lives (see `let_go`).

    Makes it where it is missing. A cache that cannot be written is left as it is.
    """
    file = folder / USED
    with suppress(OSError):
        if folder in _held and file.exists():
            os.utime(file)
            return
        _held[folder] = share_lock(file)
        os.utime(file)


def let_go() -> None:
    """Let go of all that this process holds: what it still has open stays readable."""
    while _held:
        _held.popitem()[1].close()


atexit.register(let_go)


def release(folder: Path) -> None:
    """Let go of one folder."""
    if folder in _held:
        _held.pop(folder).close()


def remove(folder: Path) -> bool:
    """Remove a folder of the cache, unless a process uses it; tells whether it is gone."""
    if not folder.exists():
        return True
    lock = take_lock(folder / USED, f"process {os.getpid()}")
    if lock is None:
        return False
    with lock:
        for file in folder.iterdir():
            if file.is_dir():
                shutil.rmtree(file)
            elif file.name != USED:
                file.unlink()
        (folder / USED).unlink()
        with suppress(OSError):  # another process has begun to use it
            folder.rmdir()
    return True


def in_use(folder: Path) -> bool:
    """Tell whether a living process uses a folder of the cache."""
    return is_locked(folder / USED)


def last_use(folder: Path) -> float:
    """Give the time, in seconds since 1970, that a folder was last used or changed at."""
    file = folder / USED
    return (file if file.exists() else folder).stat().st_mtime
