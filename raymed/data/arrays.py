"""Memory-mapped arrays in .npy files: images, features."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymed.data.images import Pixels


def new_array(path: Path, dtype: npt.DTypeLike, shape: tuple[int, ...]) -> np.memmap[Any, Any]:
    """Create a .npy file and map it for writing; its space is taken at once.

    Else a disk that fills up would kill the process when it touches the mapping.
    """
    array = np.lib.format.open_memmap(path, "w+", np.dtype(dtype), shape)
    with path.open("r+b") as file:
        os.posix_fallocate(file.fileno(), 0, path.stat().st_size)
    return array


def open_array(path: Path) -> Pixels:
    """Memory-map a cached array, read-only."""
    array: Pixels = np.load(path, mmap_mode="r", allow_pickle=False)
    return array
