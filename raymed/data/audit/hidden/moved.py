"""Pairs of pictures that are alike once one is moved, turned, scaled or mirrored a little."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import numpy.typing as npt

from raymed.data.audit.hidden.alignment import aligned_distance
from raymed.data.audit.hidden.descriptors import (
    Vectors,
    describe,
    frequencies,
    lots,
    small_pictures,
)
from raymed.data.audit.hidden.evidence import Evidence
from raymed.data.audit.hidden.links import Pairs, Strangers, without_repeats
from raymed.data.audit.hidden.neighbours import EXACT, Indices, Searcher

_ROUGH, _FINE = 16, 32  # pixels a side
_LOOKED, _LOOKED_OF_MANY = 3, 2
_REFINED = 2
_THREADS, _PART = 2, 4096
_WAYS = ((1, 1), (1, -1), (-1, 1), (-1, -1))  # steps down and across: as it is, and mirrored


def moved_pairs(thumbnails: npt.NDArray[np.uint8], asked: Indices) -> tuple[Pairs, Strangers]:
    """Align each asked sample with those that look most like it; both in terms of all samples.

    Candidates come from very small pictures, which hardly feel a small movement, and from
    frequencies, which do not feel a shift; the best of a rough alignment are aligned finely.
    """
    who, other, way = _candidates(thumbnails, asked)
    rough = _distances(thumbnails, who, other, way, _ROUGH)
    order = np.lexsort((rough, who))
    place = np.arange(len(order)) - np.searchsorted(who[order], who[order])
    refined = _REFINED if len(thumbnails) <= EXACT else 1
    best = order[place < refined]
    who, other, way = who[best], other[best], way[best]
    fine = _distances(thumbnails, who, other, way, _FINE)
    full = np.bincount(who)[who] == refined
    near, far = other[full].reshape(-1, refined), fine[full].reshape(-1, refined)
    strangers = Strangers(who[full][::refined], near, far)
    return without_repeats(who, other, fine, len(thumbnails)), strangers


def _candidates(
    thumbnails: npt.NDArray[np.uint8], asked: Indices
) -> tuple[Indices, Indices, Indices]:
    """List samples, candidates, and the way in which the sample is laid, each pair once."""
    count = _LOOKED if len(thumbnails) <= EXACT else _LOOKED_OF_MANY
    found = []
    tiny, waves = describe(thumbnails, 8), frequencies(thumbnails)
    for vectors, mirrored in ((tiny, _tiny_ways(tiny[asked])), (waves, None)):
        searcher = Searcher(vectors)
        if mirrored is None:
            across = (frequencies(thumbnails[rows][:, :, ::-1]) for rows in lots(asked))
            mirrored = [waves[asked], np.concatenate(list(across))]
        for way, queries in enumerate(mirrored):
            wanted = count if way == 0 else max(1, count - 2) if way > 1 else count - 1
            near = searcher.nearest(queries, wanted, own=asked)[1]
            rows = np.repeat(asked, near.shape[1])
            found.append(np.stack([rows, near.ravel(), np.full(near.size, way)], axis=1))
    every = np.unique(np.concatenate(found), axis=0)
    every = every[every[:, 1] >= 0]
    return every[:, 0], every[:, 1], every[:, 2]


def _tiny_ways(vectors: Vectors) -> list[Vectors]:
    side = round(vectors.shape[1] ** 0.5)
    pictures = vectors.reshape(-1, side, side)
    laid = (pictures[:, ::down, ::across] for down, across in _WAYS)
    return [np.ascontiguousarray(each.reshape(len(vectors), -1)) for each in laid]


def _distances(
    thumbnails: npt.NDArray[np.uint8], who: Indices, other: Indices, way: Indices, side: int
) -> Evidence:
    """Align every pair of pictures of some size, in threads."""
    pictures = small_pictures(thumbnails, side)

    def align(start: int) -> Evidence:
        part = slice(start, start + _PART)
        fixed = pictures[who[part]].astype(np.float32)
        for number, (down, across) in enumerate(_WAYS):
            laid = way[part] == number
            fixed[laid] = fixed[laid][:, ::down, ::across]
        return aligned_distance(fixed, pictures[other[part]].astype(np.float32))

    with ThreadPoolExecutor(_THREADS) as pool:
        return np.concatenate(list(pool.map(align, range(0, len(who), _PART))))
