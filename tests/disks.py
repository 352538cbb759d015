"""Disks of their own for tests: small ones, and such that cannot be written."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def tiny_disk(folder: Path, size: str) -> Iterator[None]:
    """Let a folder lie on a disk of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(folder)]
    if os.getuid() != 0 or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("mounting a small disk needs root")
    yield
    subprocess.run(["umount", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nothing be written into a folder that is a disk of its own, not even by root."""
    for how in ("ro", "rw"):
        subprocess.run(["mount", "-o", f"remount,{how}", str(folder)], check=True)
        if how == "ro":
            yield
