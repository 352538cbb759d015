"""NIfTI through nibabel: slices in the patient's own axes, shown as radiologists see them.

Axial and coronal slices have the patient's right on the left, sagittal ones the front; up is
anterior in axial slices, superior in the others.
"""

import gzip
import struct
import threading
from collections.abc import Mapping
from functools import cached_property
from typing import IO, Any, cast

import nibabel as nib
import numpy as np
import numpy.typing as npt

from raymed.config import Intensity, Slices
from raymed.data.pixels.content import Content, LooseFile, first_bytes
from raymed.data.pixels.contract import Frame
from raymed.data.pixels.intensity import eight_bits
from raymed.errors import InputError

AXES = ("sagittal", "coronal", "axial")
"""By the axis of space that they lie across: left to right, back to front, foot to head."""

LARGEST = 2**31
"""Bytes that a compressed volume may have unpacked: slices cannot be read out of it singly."""

LONGEST = 2**16
"""Voxels along an axis; what says that it has more is broken."""

_GZIP = b"\x1f\x8b"
_FIRST = 348  # bytes of the header of NIfTI-1, as it says itself

_POPULATION = 250_000  # voxels, about, that percentiles of a volume rest on


class NiftiFile:
    """A NIfTI volume; unpacked on disk, only the slices that are asked for are read."""

    def __init__(self, content: Content) -> None:
        self._content, self._path, self._lock = content, content.place, threading.Lock()

    def frames(self, slices: Slices) -> tuple[str, ...]:
        """Name slices `axis/number`, counted in the patient's axes."""
        along = AXES.index(slices.axis)
        shape = self._shape
        depth = shape[int(np.flatnonzero(self._axes == along)[0])]
        low, high = (min(round(share * depth), depth) for share in slices.between)
        low = min(low, depth - 1)
        numbers = range(low, max(high, low + 1), slices.step)
        width = len(str(depth - 1))
        return tuple(f"{slices.axis}/{number:0{width}}" for number in numbers)

    def facts(self) -> Mapping[str, str]:
        """Tell nothing."""
        return {}

    def read(self, frame: str, rule: Intensity) -> Frame:
        """Read a slice; its limits are those of the whole volume."""
        place = f"{self._path}::{frame}"
        if not frame and self._shape:  # which says what is wrong where it is no volume
            raise InputError(self._path, "is a volume", "name a slice, as volume.nii::axial/40")
        name, _, number = frame.partition("/")
        if name not in AXES:
            raise InputError(place, f"no axis {name!r}", f"one of {', '.join(AXES)}")
        with self._lock:  # a volume is unpacked once
            values = self._slice(AXES.index(name), int(number), place)
            population = self._population
        pixels = eight_bits(values, place, rule, None, population=population)
        return Frame.of_pixels(pixels, self._spacing(AXES.index(name)))

    def close(self) -> None:
        """Forget the volume."""
        for name in ("_image", "_stored", "_population"):
            self.__dict__.pop(name, None)

    @cached_property
    def _image(self) -> Any:
        try:
            image: Any = self._opened()
        except Exception as error:  # nibabel raises a dozen kinds
            raise InputError(self._path, f"cannot be read as NIfTI ({error})") from None
        if image.get_data_dtype().kind not in "iuf":
            raise InputError(
                self._path, f"its voxels are {image.get_data_dtype()}", "expected plain numbers"
            )
        return image

    def _opened(self) -> Any:
        if isinstance(self._content, LooseFile):
            return nib.load(self._path)  # which maps it into memory
        file = self._content.open()
        if self._is_packed:
            file = cast(IO[bytes], gzip.GzipFile(fileobj=file))
        kind = nib.Nifti1Image if _header_size(file) == _FIRST else nib.Nifti2Image
        return kind.from_stream(file)

    @cached_property
    def _is_packed(self) -> bool:
        return first_bytes(self._content, 2) == _GZIP

    @cached_property
    def _shape(self) -> tuple[int, int, int]:
        shape = tuple(int(length) for length in self._image.shape)
        if len(shape) < 3 or any(length != 1 for length in shape[3:]) or min(shape) < 1:
            form = " x ".join(map(str, shape))
            remedy = "split it: nibabel.four_to_three(image)" if len(shape) > 3 else ""
            fault = f"is {form}, {len(shape)}-D, not one volume"
            raise InputError(self._path, fault, remedy)
        if max(shape) > LONGEST:
            raise InputError(self._path, f"is {max(shape)} voxels long: its header is broken")
        return shape[0], shape[1], shape[2]

    @cached_property
    def _orientation(self) -> npt.NDArray[np.int64]:
        """Give for each stored axis the axis of space it runs along, and 1 or -1 for its way."""
        found = nib.io_orientation(self._image.affine)
        if not np.isfinite(found).all():
            raise InputError(self._path, "its affine does not say how the patient lies")
        return np.asarray(found, dtype=np.int64)

    @property
    def _axes(self) -> npt.NDArray[np.int64]:
        return self._orientation[:, 0]

    @cached_property
    def _stored(self) -> Any:
        """Give what slices are cut from: an array as it is stored, or a proxy on the file."""
        proxy, shape = self._image.dataobj, self._shape
        size = int(np.prod(shape)) * self._image.get_data_dtype().itemsize
        if self._is_packed and size > LARGEST:
            raise InputError(
                self._path,
                f"is {size / 2**30:.1f} GiB when unpacked, over {LARGEST / 2**30:.0f}",
                "gunzip it: of an unpacked file only the slices needed are read",
            )
        try:
            return proxy.get_unscaled()  # memory-mapped where it is not packed
        except Exception as error:  # nibabel, zlib and the file system raise a dozen kinds
            raise InputError(self._path, f"broken or truncated ({error})") from None

    def _scaled(self, values: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        proxy = self._image.dataobj
        scaled: npt.NDArray[np.float64] = values * np.float64(proxy.slope) + proxy.inter
        return scaled

    def _slice(self, along: int, number: int, place: str) -> npt.NDArray[np.float64]:
        """Cut a slice and turn it: rows go down and columns right as the module says."""
        shape = self._shape
        across = [int(np.flatnonzero(self._axes == axis)[0]) for axis in range(3)]
        ways = self._orientation[:, 1]
        depth = shape[across[along]]
        if number >= depth:
            raise InputError(place, f"it has {depth} slices only")
        cut: list[Any] = [slice(None)] * 3 + [0] * (len(self._image.shape) - 3)
        cut[across[along]] = number if ways[across[along]] > 0 else depth - 1 - number
        plane = self._scaled(self._stored[tuple(cut)])
        first, second = (axis for axis in range(3) if axis != along)
        if across[first] > across[second]:
            plane = plane.T
        for axis, stored in enumerate((across[first], across[second])):
            if ways[stored] > 0:  # shown from right to left, from front to back, from head to foot
                plane = np.flip(plane, axis)
        return plane.T

    def _spacing(self, along: int) -> tuple[float, float]:
        """Give the millimetres from row to row, and from column to column."""
        steps = self._image.header.get_zooms()
        columns, rows = (axis for axis in range(3) if axis != along)
        row, column = (
            float(steps[int(np.flatnonzero(self._axes == axis)[0])]) for axis in (rows, columns)
        )
        return row, column

    @cached_property
    def _population(self) -> npt.NDArray[np.float64]:
        """Give voxels of the whole volume, evenly spaced, those that are numbers."""
        step = max(1, round((np.prod(self._shape) / _POPULATION) ** (1 / 3)))
        thinned = self._scaled(self._stored[::step, ::step, ::step])
        known = thinned[np.isfinite(thinned)]
        return known if known.size else np.zeros(1)


def _header_size(file: IO[bytes]) -> int:
    """Read how long the header says it is, in either order of bytes; the file is at its start."""
    start = file.read(4)
    file.seek(0)
    sizes = [struct.unpack(order, start)[0] for order in ("<i", ">i")]
    return _FIRST if _FIRST in sizes else int(sizes[0])
