"""Files that are whole or absent: written under a temporary name, then renamed; checksums."""

import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from raymed.errors import InputError


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a temporary path to write to; it becomes `path` only when the block ends well."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}-{uuid.uuid4().hex[:8]}.tmp")
    try:
        yield temporary
        with temporary.open("rb") as written:
            os.fsync(written.fileno())
        temporary.replace(path)
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
