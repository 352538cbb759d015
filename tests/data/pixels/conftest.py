"""Frames as arrays, read by whichever reader their file asks for."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from raymed.config import AS_FILES_SAY, Intensity, Slices
from raymed.data.pixels import open_file

Shown = Callable[..., np.ndarray]


@pytest.fixture(scope="session")
def shown() -> Shown:
    """Read a frame: uint8 [h, w] or [h, w, 3]."""

    def read(path: Path | str, frame: str = "", rule: Intensity = AS_FILES_SAY) -> np.ndarray:
        return np.asarray(open_file(str(path)).read(frame, rule).image)

    return read


@pytest.fixture(scope="session")
def frames_of() -> Callable[..., tuple[str, ...]]:
    """Name a file's frames."""
    return lambda path, **slices: open_file(str(path)).frames(Slices(**slices))
