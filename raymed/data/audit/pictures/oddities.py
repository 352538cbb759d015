"""Pictures that are unlike the rest of their set: constant, empty, clipped, of another size."""

import numpy as np
import numpy.typing as npt
import pandas as pd

_CONSTANT = 3  # levels of grey that JPEG leaves of a constant picture
_EMPTY, _OF_USUAL = 0.02, 0.1  # share of the picture, and of the set's median
_CLIPPED = 0.2  # share of the picture
_BACKGROUND = 0.2  # share of pictures whose corners show an end of the range
_FAR_SIZE, _FAR_ASPECT = np.log(4), np.log(1.5)  # areas by a factor of 4, aspects of 1.5
_FENCE = 3.0  # interquartile ranges beyond the quartiles: Tukey's far out

Rows = npt.NDArray[np.int64]
Values = npt.NDArray[np.float64]


def find_oddities(seen: pd.DataFrame) -> dict[str, Rows]:
    """Name the rows of pictures (see `Appearance`) that are odd in each way, the oddest first.

    An end of the range that a picture's corners show, or those of many pictures, is background
    and not judged; nor is what a quarter of the set and more has in common.
    """
    constant = seen["spread"].to_numpy() <= _CONSTANT
    filled = seen["filled"].to_numpy(dtype=np.float64)
    usual = float(np.median(filled))
    empty = ~constant & (filled < _EMPTY) & (filled < _OF_USUAL * usual)
    clipped = np.where(constant, 0.0, _clipped(seen))
    width, height = (np.log(seen[side].to_numpy(dtype=np.float64)) for side in ("width", "height"))
    size = np.maximum(_beyond(width + height, _FAR_SIZE), _beyond(width - height, _FAR_ASPECT))
    colour = seen["colour"].to_numpy(dtype=bool)
    mostly_grey = colour.mean() <= 0.5
    return {
        "constant": np.flatnonzero(constant),
        "empty": _worst_first(np.where(empty, 1 - filled, 0.0)),
        "clipped": _worst_first(clipped),
        "odd_size": _worst_first(size),
        "in_colour": np.flatnonzero(colour & mostly_grey),
        "in_grey": np.flatnonzero(~colour & ~mostly_grey),
    }


def _worst_first(how: Values) -> Rows:
    rows = np.argsort(-how, kind="stable")
    return rows[how[rows] > 0]


def _clipped(seen: pd.DataFrame) -> Values:
    """Give the share at an end of the range where it is odd, else 0."""
    corners = seen["corners"].to_numpy()
    worst = np.zeros(len(seen))
    for end, column in ((-1, "black"), (1, "white")):
        background = corners == end
        if background.mean() >= _BACKGROUND:
            continue
        share = np.where(background, 0.0, seen[column].to_numpy(dtype=np.float64))
        fence = max(_CLIPPED, _fences(share)[1])
        worst = np.maximum(worst, np.where(share > fence, share, 0.0))
    return worst


def _beyond(values: Values, least: float) -> Values:
    """Give how far values lie beyond the fences, and at least so far from the median; else 0."""
    low, high = _fences(values)
    far = np.abs(values - np.median(values))
    return np.where(((values < low) | (values > high)) & (far >= least), far, 0.0)


def _fences(values: Values) -> tuple[float, float]:
    first, third = np.quantile(values, [0.25, 0.75])
    reach = _FENCE * (third - first)
    return float(first - reach), float(third + reach)
