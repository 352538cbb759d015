"""What one picture looks like, measured once when it is opened."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from raymed.data.appearance.bars import bars_around
from raymed.data.appearance.marks import Mark, find_marks

MOST = 256
"""Larger pictures are reduced by a whole factor, each pixel a mean, until no side is longer."""

_NEAR = 8  # levels of grey that noise and JPEG change
_ENDS = (2, 253)
_ORIENTATION, _ON_ITS_SIDE = 274, (5, 6, 7, 8)  # of EXIF


@dataclass(frozen=True)
class Appearance:
    """Measures of one picture; levels of grey are 0 to 255, shares 0 to 1.

    `filled` is the share of pixels that differ from the most common level; `black` and `white` the
    shares at the ends of the range; `corners` which end a corner shows (-1 black, 1 white, 0
    neither); `bars_across` and `bars_beside` the widths of constant bars above and below, and at
    both sides, as shares of the height and of the width; `marks` what may be burnt in.
    """

    width: int
    height: int
    kind: str
    colour: bool
    mean: float
    contrast: float
    spread: int
    filled: float
    black: float
    white: float
    corners: int
    bars_across: float
    bars_beside: float
    marks: tuple[Mark, ...]


def look_at(image: Image.Image, kind: str) -> Appearance:
    """Measure an 8-bit picture of mode L or RGB, from a file of this kind."""
    width, height = image.size
    if image.getexif().get(_ORIENTATION) in _ON_ITS_SIDE:
        width, height = height, width
    factor = math.ceil(max(image.size) / MOST)
    small = image.reduce(factor) if factor > 1 else image
    shown = small.convert("L")
    grey = np.asarray(shown)
    counts = np.bincount(grey.ravel(), minlength=256)
    shares = counts / grey.size
    levels = np.arange(256)
    mean = float(shares @ levels)
    common = int(counts.argmax())
    present = np.flatnonzero(counts)
    across, beside = bars_around(grey)
    return Appearance(
        width=width,
        height=height,
        kind=kind,
        colour=image.mode == "RGB" and _has_colour(np.asarray(small)),
        mean=mean,
        contrast=float(shares @ (levels - mean) ** 2) ** 0.5,
        spread=int(present[-1] - present[0]),
        filled=float(shares[np.abs(levels - common) > _NEAR].sum()),
        black=float(shares[: _ENDS[0] + 1].sum()),
        white=float(shares[_ENDS[1] :].sum()),
        corners=_end_in_corners(grey),
        bars_across=across,
        bars_beside=beside,
        marks=find_marks(shown),
    )


def _has_colour(pixels: npt.NDArray[np.uint8]) -> bool:
    """Tell whether channels differ in more than a hundredth of the pixels by more than noise."""
    least, most = pixels.min(axis=2), pixels.max(axis=2)
    return bool(np.mean(most - least > 2 * _NEAR) > 0.01)


def _end_in_corners(grey: npt.NDArray[np.uint8]) -> int:
    corners = grey[[0, 0, -1, -1], [0, -1, 0, -1]]
    black, white = (corners <= _ENDS[0]).sum(), (corners >= _ENDS[1]).sum()
    return 0 if black == white else (-1 if black > white else 1)
