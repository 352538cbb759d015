"""Files that are whole or absent (written aside, then renamed); checksums; locks; sizes."""

import errno
import fcntl
import hashlib
import json
import os
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TextIO

from raymed.errors import DiskFullError, InputError

_NO_SPACE = os.strerror(errno.ENOSPC)


def lacks_space(error: Exception) -> bool:
    """Tell whether an exception means a full disk; Arrow and safetensors raise their own."""
    return getattr(error, "errno", None) == errno.ENOSPC or _NO_SPACE in str(error)


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` only when the block ends well.

    Raises `DiskFullError` where there is no space for it, whatever the library that wrote raised.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
    except Exception as error:
        if lacks_space(error):
            raise DiskFullError.at(path) from error
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write text as a whole file."""
    with whole_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write JSON as a whole file; NaN and infinity are refused, they are not JSON."""
    write_text(path, json.dumps(content, indent=1, allow_nan=False, ensure_ascii=False) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of ours; a broken one is named."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InputError(
            str(path), f"is not valid JSON ({error})", "delete it, run again"
        ) from None


def checksum(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def digest(content: Any) -> str:
    """Return the SHA-256 of a JSON-ready value, independent of the order of keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def complete(folder: Path, marker: str = "DONE.json") -> dict[str, Any] | None:
    """Return the marker of a complete folder, or None.

    A folder is complete when its marker is there and every file that the marker's `files` names
    holds its checksum.
    """
    path = folder / marker
    if not path.exists():
        return None
    try:
        found = read_json(path)
        intact = all(checksum(folder / name) == sum_ for name, sum_ in found["files"].items())
    except (InputError, OSError, KeyError, TypeError, AttributeError):
        return None
    return found if intact else None


def mark_complete(folder: Path, names: list[str], marker: str = "DONE.json", **facts: Any) -> None:
    """Write the marker of a folder, last of all, with the checksums of the named files."""
    sums = {name: checksum(folder / name) for name in names}
    write_json(folder / marker, {**facts, "files": sums})


def take_lock(path: Path, holder: str) -> TextIO | None:
    """Lock a file that names its holder, until it is closed or this process dies.

    Returns None when another process holds it. Tries for a moment, as `lock_holder` touches the
    lock for an instant. Who holds a lock may delete its file: another's lock is then a new file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a+", encoding="utf-8")
    for pause in (0.02, 0.1, 0):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(pause)
        else:
            if not _lies_at(file, path):  # deleted since it was opened: it locks out nobody
                break
            file.truncate(0)
            with suppress(OSError):  # a full disk: the lock holds all the same
                os.write(file.fileno(), holder.encode())
            return file
    file.close()
    return None


def share_lock(path: Path) -> TextIO:
    """Keep others from taking a lock, until the file is closed or this process dies.

    Any number of processes can; one that has taken the lock is waited for. Where the file is there,
    it takes no right to write. Raises `OSError` where the file cannot be made.
    """
    while True:
        try:
            file = path.open(encoding="utf-8")
        except FileNotFoundError:
            path.parent.mkdir(parents=True, exist_ok=True)
            with suppress(FileNotFoundError):  # its folder was removed meanwhile
                path.open("a").close()
            continue
        fcntl.flock(file, fcntl.LOCK_SH)
        if _lies_at(file, path):
            return file
        file.close()


def is_locked(path: Path) -> bool:
    """Tell whether any process has taken or shares a lock; needs no right to write."""
    try:
        with path.open(encoding="utf-8") as file:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except FileNotFoundError:
        return False
    except BlockingIOError:
        return True
    return False


def _lies_at(file: TextIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


def lock_holder(path: Path) -> str | None:
    """Return who holds a lock, or None; needs no right to write, and takes it from nobody."""
    if not path.exists():
        return None
    with path.open(encoding="utf-8") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip() or "another process"
    return None


def told_size(size: float) -> str:
    """Write a number of bytes for a reader."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 999.5:
            return f"{size:,.0f} {unit}" if unit == "B" or size >= 10 else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:,.1f} TB"
