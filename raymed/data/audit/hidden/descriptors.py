"""What is compared of an image: its small grey picture, whatever its brightness and contrast."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

SIDE = 32
Vectors = npt.NDArray[np.float32]
_LEAST_SPREAD = 1.0
_LOT = 8192


def describe(thumbnails: npt.NDArray[np.uint8], side: int = SIDE) -> Vectors:
    """Give unit vectors float32 [samples, side * side]: scalar products are correlations.

    `thumbnails` is uint8 [samples, n, n] or [samples, n, n, 3]. The vector of an image without
    any structure is zero.
    """
    vectors = np.empty((len(thumbnails), side * side), dtype=np.float32)
    for own, part in zip(lots(vectors), lots(thumbnails), strict=True):
        own[:] = _units(_small(part, side))
    return vectors


def small_pictures(thumbnails: npt.NDArray[np.uint8], side: int) -> npt.NDArray[np.float16]:
    """Average thumbnails down to grey pictures float16 [samples, side, side]."""
    return np.concatenate([_small(part, side).astype(np.float16) for part in lots(thumbnails)])


def frequencies(thumbnails: npt.NDArray[np.uint8], side: int = SIDE) -> Vectors:
    """Give unit vectors of how strong each low frequency is: a shift hardly changes them."""
    return np.concatenate([_frequencies(_small(part, side)) for part in lots(thumbnails)])


def _frequencies(pictures: Vectors) -> Vectors:
    side = pictures.shape[1]
    fading = np.hanning(side + 2)[1:-1].astype(np.float32)
    mean = pictures.mean((1, 2), keepdims=True)
    strength = np.abs(np.fft.rfft2((pictures - mean) * fading[:, None] * fading))
    low = np.sqrt(strength[:, np.r_[: side // 4, -side // 4 : 0], : side // 4])
    flat = low.reshape(len(pictures), -1).astype(np.float32)
    flat -= flat.mean(1, keepdims=True)
    units: Vectors = flat / np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-6)
    return units


def turned(vectors: Vectors) -> Iterator[Vectors]:
    """Mirror and turn what `describe` gave: the seven other ways to lay a square."""
    side = round(vectors.shape[1] ** 0.5)
    square = np.arange(vectors.shape[1]).reshape(side, side)
    quarter = np.rot90(square)
    for upright in (square, quarter):
        for way in (upright, upright[:, ::-1], upright[::-1], upright[::-1, ::-1]):
            if way is not square:
                yield vectors.take(way.ravel(), axis=1)


def lots(array: npt.NDArray[Any]) -> list[npt.NDArray[Any]]:
    """Cut along the first axis: what is made of many samples at once takes gigabytes."""
    return [array[start : start + _LOT] for start in range(0, len(array), _LOT)]


def _small(thumbnails: npt.NDArray[np.uint8], side: int) -> Vectors:
    """Average areas; a side that does not divide is met by weights."""
    grey: Vectors = thumbnails.astype(np.float32)
    if grey.ndim == 4:
        grey = np.asarray(grey @ np.array([0.299, 0.587, 0.114]), dtype=np.float32)
    down, across = _areas(grey.shape[1], side), _areas(grey.shape[2], side)
    return np.asarray(down @ grey @ across.T, dtype=np.float32)


def _areas(length: int, side: int) -> Vectors:
    edges = np.linspace(0, length, side + 1)
    pixel = np.arange(length)
    overlap = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    weights = np.clip(overlap, 0, None)
    return np.asarray(weights / weights.sum(1, keepdims=True), dtype=np.float32)


def _units(pictures: Vectors) -> Vectors:
    flat = pictures.reshape(len(pictures), -1)
    flat = flat - flat.mean(1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    plain = length < _LEAST_SPREAD * flat.shape[1] ** 0.5
    return np.where(plain, 0, flat / np.where(plain, 1, length)).astype(np.float32)
