"""Candidate links between samples, and how near strangers come to a sample."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components, minimum_spanning_tree

from raymed.data.audit.hidden.descriptors import Vectors, lots, turned
from raymed.data.audit.hidden.evidence import Evidence, Yardstick
from raymed.data.audit.hidden.neighbours import Indices, Searcher, distance_of

_UPRIGHT, _TURNED = 12, 3
_QUERIES, _KEPT = 500, 2048  # more than the largest group that can be proposed
_ROWS = 100


@dataclass(frozen=True)
class Pairs:
    """Pairs of samples and how far apart they are, however one of them is mirrored or turned."""

    first: Indices
    second: Indices
    distance: Evidence

    def where(self, kept: npt.NDArray[np.bool_]) -> "Pairs":
        """Keep some."""
        return Pairs(self.first[kept], self.second[kept], self.distance[kept])

    def groups(self, kept: npt.NDArray[np.bool_], samples: int) -> Indices:
        """Number the groups that the kept pairs link [samples]."""
        first, second = self.first[kept], self.second[kept]
        graph = coo_array((np.ones(len(first)), (first, second)), shape=(samples, samples))
        return connected_components(graph, directed=False)[1].astype(np.int64)

    def weakest_links(
        self, kept: npt.NDArray[np.bool_], evidence: Evidence, samples: int
    ) -> Evidence:
        """Give, for each group of the kept pairs, the evidence without which it would fall apart.

        That is the weakest link of a spanning tree of the strongest.
        """
        first, second, strength = self.first[kept], self.second[kept], evidence[kept]
        least = strength.max() + 1
        graph = coo_array((least - strength, (first, second)), shape=(samples, samples))
        tree = minimum_spanning_tree(graph.tocsr()).tocoo()
        groups = self.groups(kept, samples)[tree.row]
        weakest: Evidence = np.full(samples, np.inf)
        np.minimum.at(weakest, groups, least - tree.data)
        held: Evidence = weakest[np.isfinite(weakest)]
        return held


def nearest_pairs(vectors: Vectors) -> Pairs:
    """Pair every sample with its nearest neighbours, as they stand and mirrored or turned."""
    searcher, found = Searcher(vectors), []
    for rows in lots(np.arange(len(vectors))):
        upright = vectors[rows]
        for count, ways in ((_UPRIGHT, [upright]), (_TURNED, turned(upright))):
            for way in ways:
                near, who = searcher.nearest(way, count, own=rows)
                found.append((np.repeat(rows, who.shape[1]), who.ravel(), near.ravel()))
    first, second, distance = (np.concatenate(part) for part in zip(*found, strict=True))
    real = second >= 0
    return without_repeats(first[real], second[real], distance[real], len(vectors))


def without_repeats(first: Indices, second: Indices, distance: Evidence, samples: int) -> Pairs:
    """Keep each pair once, at its least distance."""
    low, high = np.minimum(first, second), np.maximum(first, second)
    order = np.lexsort((distance, low * samples + high))
    key = (low * samples + high)[order]
    kept = order[np.r_[True, key[1:] != key[:-1]]] if len(order) else order
    return Pairs(low[kept], high[kept], distance[kept])


def either(
    pairs: Pairs, evidence: Evidence, others: Pairs, of_others: Evidence
) -> tuple[Pairs, Evidence]:
    """Join two lists of pairs; a pair that is in both keeps what speaks for it more."""
    first, second, distance = (
        np.concatenate([getattr(each, name) for each in (pairs, others)])
        for name in ("first", "second", "distance")
    )
    strength = np.concatenate([evidence, of_others])
    order = np.lexsort((-strength, second, first))
    new = np.diff(first[order], prepend=-1) | np.diff(second[order], prepend=-1)
    kept = order[new != 0]
    return Pairs(first[kept], second[kept], distance[kept]), strength[kept]


@dataclass(frozen=True)
class Strangers:
    """The nearest of all samples around some of them: `other` and `distance` [asked, kept]."""

    asked: Indices
    other: Indices
    distance: Evidence

    @classmethod
    def around(cls, vectors: Vectors, seed: int = 0) -> "Strangers":
        """Compare a random part of the samples with all, mirrored and turned too."""
        count = len(vectors)
        asked = np.arange(count)
        if count > _QUERIES:
            asked = np.sort(np.random.default_rng(seed).choice(count, _QUERIES, replace=False))
        kept = min(_KEPT, count - 1)
        parts = [
            _closest(vectors, asked[start : start + _ROWS], kept)
            for start in range(0, len(asked), _ROWS)
        ]
        other, similarity = (np.concatenate(part) for part in zip(*parts, strict=True))
        return cls(asked, other, distance_of(similarity))

    def evidence(self, yardstick: Yardstick) -> Evidence:
        """Give the evidence of each asked sample with each of those around it [asked, kept]."""
        return yardstick.evidence(self.asked[:, None], self.other, self.distance)

    def outside(self, groups: Indices, evidence: Evidence) -> Evidence:
        """Give each asked sample's strongest evidence with a sample outside its group.

        Samples all of whose kept neighbours are of their group are left out.
        """
        outside = groups[self.other] != groups[self.asked][:, None]
        strongest: Evidence = np.where(outside, evidence, -np.inf).max(axis=1)
        return strongest[np.isfinite(strongest)]


def _closest(
    vectors: Vectors, asked: Indices, kept: int
) -> tuple[Indices, npt.NDArray[np.float32]]:
    similarity = vectors[asked] @ vectors.T
    for way in turned(vectors[asked]):
        np.maximum(similarity, way @ vectors.T, out=similarity)
    similarity[np.arange(len(asked)), asked] = -np.inf
    other = np.argpartition(-similarity, kept - 1, axis=1)[:, :kept]
    return other.astype(np.int64), np.take_along_axis(similarity, other, axis=1)
