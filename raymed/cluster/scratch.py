"""Where a Ray keeps files of its own while a session lasts: a folder of all nodes, or a store."""

import shutil
from pathlib import Path
from typing import Any

from raymed.errors import InputError
from raymed.runs.store import RunStore

Scratch = Path | RunStore


def storage_of(scratch: Scratch) -> dict[str, Any]:
    """Give what Ray Train and Tune are told of it."""
    if isinstance(scratch, Path):
        return {"storage_path": str(scratch)}
    return {
        "storage_path": scratch.location.path,  # with a file system: without its scheme
        "storage_filesystem": scratch.files,
    }


def make(scratch: Scratch) -> None:
    """Make it, empty; raises `InputError` where this machine cannot."""
    remove(scratch)
    if isinstance(scratch, RunStore):
        return
    try:
        scratch.mkdir(parents=True)
    except OSError as error:
        fault = f"cannot be written to from this machine ({error.strerror})"
        remedy = "choose another folder with --run, or have its owner let you write there"
        raise InputError(str(scratch.parent), fault, remedy) from None


def told(scratch: Scratch) -> str:
    """Name it for a reader."""
    return str(scratch) if isinstance(scratch, Path) else scratch.url


def remove(scratch: Scratch) -> None:
    """Remove it with what lies in it."""
    if isinstance(scratch, Path):
        shutil.rmtree(scratch, ignore_errors=True)
    else:
        scratch.delete_all()
