"""The nearest neighbours of every sample, with Faiss: all compared where few, else by cells."""

from dataclasses import dataclass

import faiss
import numpy as np
import numpy.typing as npt

from raymed.data.audit.hidden.descriptors import Vectors

Indices = npt.NDArray[np.int64]
EXACT = 20_000
_CELLS_SEARCHED, _COMPONENTS = 12, 96
_REFERENCES = 20_000
_ROWS = 512
_CLOSEST = 1e-3


@dataclass(frozen=True)
class Surroundings:
    """How far each sample's neighbours lie: `distance` [samples, ranks] at these `ranks`."""

    ranks: tuple[int, ...]
    distance: npt.NDArray[np.float64]

    def at(self, rank: int) -> npt.NDArray[np.float64]:
        """Give the distance of the neighbour of one rank [samples]."""
        return self.distance[:, self.ranks.index(rank)]


class Searcher:
    """Finds neighbours among unit vectors; the same vectors give the same neighbours."""

    def __init__(self, vectors: Vectors) -> None:
        """Build the index: exact up to `EXACT` samples, else cells of principal components."""
        self.vectors = vectors
        count, width = vectors.shape
        self._index: faiss.Index = faiss.IndexFlatIP(width)
        if count > EXACT:
            kind = f"PCA{min(_COMPONENTS, width)},IVF{int(2 * count**0.5)},Flat"
            self._index = faiss.index_factory(width, kind, faiss.METRIC_L2)
            cells = faiss.extract_index_ivf(self._index)
            cells.cp.niter, cells.cp.max_points_per_centroid = 10, 64
            cells.nprobe = _CELLS_SEARCHED
            self._index.train(vectors)
        self._index.add(vectors)

    def nearest(
        self, queries: Vectors, count: int, own: Indices | None = None
    ) -> tuple[npt.NDArray[np.float64], Indices]:
        """Give distances and indices [queries, count] of the nearest, -1 where fewer are found.

        A query is a sample laid in some way: number `own` [queries], by default its row; it is
        never its own neighbour.
        """
        itself = np.arange(len(queries)) if own is None else own
        wanted = min(count + 1, len(self.vectors))
        _, found = self._index.search(queries, wanted)
        left_out = found == itself[:, None]
        left_out[~left_out.any(1), -1] = True
        found = found[~left_out].reshape(len(queries), wanted - 1).astype(np.int64)
        distance = np.empty(found.shape)
        for start in range(0, len(queries), _ROWS):
            rows = slice(start, start + _ROWS)
            similarity = np.einsum("qd,qkd->qk", queries[rows], self.vectors[found[rows]])
            distance[rows] = distance_of(similarity)
        return distance, found


def distance_of(similarity: npt.NDArray[np.float32]) -> npt.NDArray[np.float64]:
    """Turn correlations into distances of unit vectors, none below what rounding leaves."""
    return np.sqrt(np.maximum(2 - 2 * similarity.astype(np.float64), _CLOSEST**2))


def look_around(vectors: Vectors, ranks: tuple[int, ...], seed: int = 0) -> Surroundings:
    """Measure how far neighbours of some ranks lie, against at most `_REFERENCES` samples.

    Against a random part, rank r of all is rank r * part of it.
    """
    count = len(vectors)
    rng = np.random.default_rng(seed)
    part = np.arange(count)
    if count > _REFERENCES:
        part = np.sort(rng.choice(count, _REFERENCES, replace=False))
    share = len(part) / count
    places = [max(1, round(rank * share)) for rank in ranks]
    references = np.ascontiguousarray(vectors[part].T)
    distance = np.empty((count, len(ranks)))
    for start in range(0, count, _ROWS):
        similarity = vectors[start : start + _ROWS] @ references
        own = np.searchsorted(part, np.arange(start, start + len(similarity)))
        here = np.flatnonzero(part[np.minimum(own, len(part) - 1)] == start + np.arange(len(own)))
        similarity[here, own[here]] = -np.inf
        kth = [similarity.shape[1] - place for place in places]
        similarity.partition(kth, axis=1)
        distance[start : start + len(similarity)] = distance_of(similarity[:, kth])
    return Surroundings(ranks, distance)
