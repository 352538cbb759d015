"""Marks burnt into a picture: letters and other small things of high contrast on flat ground.

A side letter, a caption, a ruler's tick: it differs from what lies around it by two fifths of the
whole range, is no larger than a seventh of the side, and stands alone on ground that is flat. What
lies on tissue, has less contrast, or is under 4 pixels high in a picture of at most 511, is not
seen; a bright speck of anatomy on black is.
"""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter
from scipy import ndimage

_CONTRAST = 100  # levels of grey above the mean around
_FLAT = 12.0  # levels of grey, standard deviation of the ground
_LEAST, _MOST = 4, 1 / 7  # height or width: pixels, share of the side
_RING = 2  # pixels of ground that are looked at around it
_AROUND = 1 / 12  # of the side: the radius of the mean around
_TOUCHING = np.ones((3, 3), dtype=bool)


class Mark(NamedTuple):
    """A mark's box, in shares of the picture's sides."""

    top: float
    left: float
    height: float
    width: float


def find_marks(grey: Image.Image) -> tuple[Mark, ...]:
    """Find marks, bright or dark, in a picture of mode L."""
    values = np.asarray(grey, dtype=np.int16)
    radius = max(3.0, _AROUND * min(values.shape))
    around = np.asarray(grey.filter(ImageFilter.BoxBlur(radius)), dtype=np.int16)
    beyond = values - around
    raised = (beyond > _CONTRAST, beyond < -_CONTRAST)
    return tuple(mark for mask in raised if mask.any() for mark in _alone(values, mask))


def _alone(values: npt.NDArray[np.int16], raised: npt.NDArray[np.bool_]) -> Iterator[Mark]:
    """Keep the raised things that are small and stand on flat ground."""
    height, width = values.shape
    most = _MOST * min(height, width)
    things, _ = ndimage.label(raised, _TOUCHING)
    beside = ~_grown(raised)
    for rows, columns in ndimage.find_objects(things):
        tall, wide = rows.stop - rows.start, columns.stop - columns.start
        if max(tall, wide) < _LEAST or max(tall, wide) > most:
            continue
        box = tuple(
            slice(max(0, side.start - 1 - _RING), side.stop + 1 + _RING) for side in (rows, columns)
        )
        ground = values[box][beside[box]]
        if len(ground) >= tall + wide and _variance(ground) <= _FLAT**2:
            yield Mark(rows.start / height, columns.start / width, tall / height, wide / width)


def _variance(levels: npt.NDArray[np.int16]) -> float:
    """Give the variance of levels of grey, exactly; NumPy's own takes far longer for so few."""
    wide = levels.astype(np.int64)
    count, total = len(wide), int(wide.sum())
    return (count * int(wide @ wide) - total**2) / count**2


def _grown(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Add what touches it, corners too; SciPy's dilation of a whole picture takes far longer."""
    tall = mask.copy()
    tall[1:] |= mask[:-1]
    tall[:-1] |= mask[1:]
    grown = tall.copy()
    grown[:, 1:] |= tall[:, :-1]
    grown[:, :-1] |= tall[:, 1:]
    return grown
