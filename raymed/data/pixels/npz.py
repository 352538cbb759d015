"""Frames of a MedMNIST-style npz: `array/row`."""

import threading
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from raymed.config import Intensity, Slices
from raymed.data.pixels.contract import Frame
from raymed.errors import InputError


class NpzFile:
    """An npz whose image arrays are read once each."""

    def __init__(self, path: str) -> None:
        self._path, self._arrays = path, dict[str, npt.NDArray[Any]]()
        self._lock = threading.Lock()

    def frames(self, slices: Slices) -> tuple[str, ...]:
        """Refuse: the reader of npz sources names its rows itself, with their labels."""
        raise InputError(self._path, "is an npz, not an image", "give it as data.source")

    def facts(self) -> Mapping[str, str]:
        """Tell nothing."""
        return {}

    def read(self, frame: str, rule: Intensity) -> Frame:
        """Read a row, uint8 already."""
        name, _, row = frame.partition("/")
        with self._lock:
            if name not in self._arrays:
                self._arrays[name] = self._array(name)
        return Frame.of_pixels(self._arrays[name][int(row)])

    def close(self) -> None:
        """Forget the arrays."""
        self._arrays.clear()

    def _array(self, name: str) -> npt.NDArray[Any]:
        try:
            with Path(self._path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                pixels: npt.NDArray[Any] = arrays[name]
                return pixels
        except (OSError, ValueError, KeyError, zipfile.BadZipFile, zlib.error) as error:
            raise InputError(self._path, f"cannot be read as npz ({error})") from None
