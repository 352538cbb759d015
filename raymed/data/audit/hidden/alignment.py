"""How alike two pictures are once one is moved, turned and scaled a little onto the other.

Inverse compositional alignment (Baker and Matthews, 2004) with a similarity as the warp: first of
blurred pictures, then of sharp ones. Pairs of pictures are worked on side by side.
"""

import numpy as np
import numpy.typing as npt
from scipy.ndimage import gaussian_filter

from raymed.data.audit.hidden.descriptors import Vectors
from raymed.data.audit.hidden.evidence import Evidence
from raymed.data.audit.hidden.neighbours import distance_of

Complex = npt.NDArray[np.complex64]
_BLURS = ((1.5, 6), (0.5, 4))  # pixels, steps
_RADIUS = 0.95  # of the disc that is compared, as half a side
_LEAST_SEEN = 0.6  # of the disc
_LARGEST = 0.4  # change of size or turn (radian), else it is no small one
_DAMPING = 1e-3
_ROWS = 1024


def aligned_distance(fixed: Vectors, moving: Vectors) -> Evidence:
    """Give the distance [pairs] of unit vectors of pictures float32 [pairs, side, side], aligned.

    What cannot be laid over the other by a small movement is as far away as unlike pictures.
    """
    parts = [
        _aligned(fixed[start : start + _ROWS], moving[start : start + _ROWS])
        for start in range(0, len(fixed), _ROWS)
    ]
    return np.concatenate(parts) if parts else np.zeros(0)


def _aligned(fixed: Vectors, moving: Vectors) -> Evidence:
    side = fixed.shape[1]
    places = _places(side)
    weights = (np.abs(places) <= _RADIUS * side / 2).astype(np.float32)
    turn: Complex = np.ones(len(fixed), dtype=np.complex64)
    shift: Complex = np.zeros(len(fixed), dtype=np.complex64)
    for blur, steps in _BLURS:
        smooth = (0, blur, blur)
        target = _standard(gaussian_filter(fixed, smooth), weights)
        source = _standard(gaussian_filter(moving, smooth), weights)
        slopes = _slopes(target, places) * weights.ravel()
        inverse = _inverse(slopes)
        for _ in range(steps):
            seen, inside = _sampled(source, turn, shift, places)
            error = np.where(inside, seen - target.reshape(len(target), -1), 0)
            step = np.einsum("pkl,pl->pk", inverse, np.einsum("pkd,pd->pk", slopes, error))
            grown = (1 + step[:, 0] + 1j * step[:, 1]).astype(np.complex64)
            grown[np.abs(grown) < 0.5] = 1
            moved = (step[:, 2] + 1j * step[:, 3]).astype(np.complex64)
            turn, shift = turn / grown, shift - turn * moved / grown
    seen, inside = _sampled(moving, turn, shift, places)
    compared = inside * weights.ravel()
    similarity = _correlation(fixed.reshape(len(fixed), -1), seen, compared)
    far = np.abs(turn - 1) > _LARGEST
    far |= compared.sum(1) < _LEAST_SEEN * weights.sum()
    return distance_of(np.where(far, 0, similarity))


def _places(side: int) -> Complex:
    """Where each pixel lies from the centre, in pixels, across + 1j * down."""
    ticks = np.arange(side, dtype=np.float32) - (side - 1) / 2
    return (ticks[None, :] + 1j * ticks[:, None]).astype(np.complex64)


def _standard(pictures: Vectors, weights: Vectors) -> Vectors:
    """Bring each picture to mean 0 and spread 1 within the disc."""
    total = weights.sum()
    mean = (pictures * weights).sum((1, 2), keepdims=True) / total
    spread = np.sqrt(((pictures - mean) ** 2 * weights).sum((1, 2), keepdims=True) / total)
    standard: Vectors = (pictures - mean) / np.maximum(spread, 1e-6)
    return standard


def _slopes(pictures: Vectors, places: Complex) -> Vectors:
    """How pixels change with size, turn, and shift across and down [pairs, 4, pixels]."""
    down, across = np.gradient(pictures, axis=(1, 2))
    x, y = places.real, places.imag
    each = [across * x + down * y, down * x - across * y, across, down]
    return np.stack([slope.reshape(len(pictures), -1) for slope in each], axis=1)


def _inverse(slopes: Vectors) -> Vectors:
    """Invert the 4 x 4 curvature of each pair, damped where a picture leaves it open."""
    curvature = np.einsum("pkd,pld->pkl", slopes, slopes)
    size = np.trace(curvature, axis1=1, axis2=2)[:, None, None]
    return np.linalg.inv(curvature + (_DAMPING * np.eye(4) + 1e-12) * np.maximum(size, 1e-6) * 0.01)


def _sampled(
    pictures: Vectors, turn: Complex, shift: Complex, places: Complex
) -> tuple[Vectors, npt.NDArray[np.bool_]]:
    """Read each picture where its warp says (bilinear); and which places lie inside it."""
    side = pictures.shape[1]
    where = turn[:, None] * places.ravel() + shift[:, None]
    x, y = where.real + (side - 1) / 2, where.imag + (side - 1) / 2
    inside = (x >= 0) & (x <= side - 1) & (y >= 0) & (y <= side - 1)
    x, y = np.clip(x, 0, side - 1.001), np.clip(y, 0, side - 1.001)
    left, top = x.astype(np.int32), y.astype(np.int32)
    x, y = x - left, y - top
    flat = pictures.reshape(-1)
    corner = np.arange(len(pictures), dtype=np.int32)[:, None] * side * side + top * side + left
    upper = flat[corner] * (1 - x) + flat[corner + 1] * x
    lower = flat[corner + side] * (1 - x) + flat[corner + side + 1] * x
    return upper * (1 - y) + lower * y, inside


def _correlation(first: Vectors, second: Vectors, weights: Vectors) -> Vectors:
    total = np.maximum(weights.sum(1, keepdims=True), 1)
    first = first - (first * weights).sum(1, keepdims=True) / total
    second = second - (second * weights).sum(1, keepdims=True) / total
    both = (first * second * weights).sum(1)
    norm = np.sqrt((first**2 * weights).sum(1) * (second**2 * weights).sum(1))
    similarity: Vectors = both / np.maximum(norm, 1e-6)
    return similarity
