"""Bars: constant borders that end in a straight edge, as letterboxes, frames and shutters leave.

A scanner's black background is constant at the border too, but gives way to a rounded body in a
few pixels of a line at first; beyond a bar almost the whole next line is picture.
"""

import numpy as np
import numpy.typing as npt

_SAME = 6  # levels of grey within a bar
_OTHER = 12  # levels of grey that the picture differs by from the bar
_BEYOND = 0.75  # share of the next lines that must differ
_WIDEST = 0.4  # of a side; wider ones leave too little to tell
_LEAST_SIDE = 24

Grey = npt.NDArray[np.uint8]


def bars_around(grey: Grey) -> tuple[float, float]:
    """Give the widths of bars above and below together, and at both sides, as shares of the side.

    Pictures of under 24 pixels a side tell nothing.
    """
    if min(grey.shape) < _LEAST_SIDE:
        return 0.0, 0.0
    rows, columns = grey, grey.T
    top, bottom = _constant(rows), _constant(rows[::-1])
    left, right = _constant(columns), _constant(columns[::-1])
    height, width = grey.shape
    if top + bottom >= height or left + right >= width:
        return 0.0, 0.0
    inner_rows, inner_columns = rows[:, left : width - right], columns[:, top : height - bottom]
    across = _bar(inner_rows, top) + _bar(inner_rows[::-1], bottom)
    beside = _bar(inner_columns, left) + _bar(inner_columns[::-1], right)
    return across / height, beside / width


def _constant(lines: Grey) -> int:
    """Count the first lines that are one level of grey, that of the first."""
    first = int(lines[0, 0])
    most, least = lines.max(axis=1).astype(np.int16), lines.min(axis=1).astype(np.int16)
    ends = np.flatnonzero(np.maximum(most - first, first - least) > _SAME)
    return int(ends[0]) if len(ends) else len(lines)


def _bar(lines: Grey, count: int) -> int:
    """Give the width of the bar, 0 where the constant lines are no bar."""
    if not 0 < count <= _WIDEST * len(lines):
        return 0
    beyond = lines[count + 1 : count + 1 + max(3, len(lines) // 20)].astype(np.int16)
    differs = np.abs(beyond - int(lines[0, 0])) > _OTHER
    return count if differs.mean() >= _BEYOND else 0
