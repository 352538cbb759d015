"""Samples that come from one person, proposed from pixels alone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from raymed.data.audit.hidden.copies import equal_pictures
from raymed.data.audit.hidden.descriptors import Vectors, describe
from raymed.data.audit.hidden.evidence import STEP, Evidence, Yardstick, ranks_for
from raymed.data.audit.hidden.links import Pairs, Strangers, either, nearest_pairs
from raymed.data.audit.hidden.moved import moved_pairs
from raymed.data.audit.hidden.neighbours import Indices, look_around
from raymed.data.audit.hidden.threshold import Choice, choose_threshold

SEARCH = 2
"""Raise it when the same thumbnails give other groups."""
LEAST = 40
"""With fewer different images nothing can be told of strangers."""
_SAME_PICTURE = 0.998
_BINS = 60
_ASKED = 300


@dataclass(frozen=True)
class HiddenGroups:
    """Which samples show one person, and what that rests on.

    `group`, `copies` and `near` [samples] name for each sample the first one of its group, of the
    images equal to it, and of those that show the same picture again. `threshold` is the evidence
    from which two images count as one person's (see `evidence`), `correlation` what that usually
    is as a correlation of their small pictures; both None where only copies are grouped.
    """

    group: Indices
    copies: Indices
    near: Indices
    threshold: float | None = None
    correlation: float | None = None
    confidence: float | None = None
    histogram: dict[str, Any] | None = None

    @property
    def found(self) -> int:
        """How many groups of two and more there are."""
        return int((np.bincount(self.group) > 1).sum())

    @property
    def people(self) -> int:
        """How many of them hold more than copies of one image."""
        return len(np.unique(self.group[self.copies != self.group]))


def find_groups(thumbnails: npt.NDArray[np.uint8], seed: int = 0) -> HiddenGroups:
    """Propose groups for uint8 thumbnails [samples, n, n] or [samples, n, n, 3].

    The same thumbnails give the same groups. Equal thumbnails are one group, but for those
    without any structure.
    """
    vectors = describe(thumbnails)
    copies = equal_pictures(thumbnails, structured=(vectors != 0).any(axis=1))
    different = np.unique(copies)
    different = different[vectors[different].any(axis=1)]
    certain = 1.0 if len(np.unique(copies)) < len(copies) else None
    if len(different) < LEAST:
        return HiddenGroups(copies, copies, copies, confidence=certain)
    if len(different) < len(vectors):
        vectors = vectors[different]
    judged = max(_judged(vectors, seed), key=lambda each: each.linked)
    del vectors  # of many images they are gigabytes
    seen = thumbnails if len(different) == len(thumbnails) else thumbnails[different]
    judged = _with_moved(judged, seen, seed)
    groups, near = judged.groups
    return HiddenGroups(
        group=_spread(groups, copies, different),
        copies=copies,
        near=_spread(near, copies, different),
        threshold=None if judged.choice is None else judged.choice.threshold,
        correlation=judged.correlation,
        confidence=certain if judged.choice is None else judged.confidence(),
        histogram=judged.histogram(),
    )


def _spread(groups: Indices, copies: Indices, different: Indices) -> Indices:
    """Carry the groups of different images to all samples, named by their first one."""
    firsts = np.full(groups.max() + 1, len(copies))
    np.minimum.at(firsts, groups, different)
    named = np.arange(len(copies))
    named[different] = firsts[groups]
    return named[copies]


@dataclass(frozen=True)
class _Judged:
    """What one yardstick says of images no two of which are equal."""

    pairs: Pairs
    evidence: Evidence
    yardstick: Yardstick
    strangers: Strangers
    choice: Choice | None
    samples: int

    @property
    def linked(self) -> int:
        """How many images are in a group of two and more."""
        if self.choice is None:
            return 0
        sizes = np.bincount(self.choice.groups)
        return int(sizes[sizes > 1].sum())

    @property
    def groups(self) -> tuple[Indices, Indices]:
        """The groups, and those that show the same picture again."""
        if self.choice is None:
            return np.arange(self.samples), np.arange(self.samples)
        same = self.kept & (1 - self.pairs.distance**2 / 2 >= _SAME_PICTURE)
        return self.choice.groups, self.pairs.groups(same, self.samples)

    @property
    def kept(self) -> npt.NDArray[np.bool_]:
        """Which pairs are linked."""
        assert self.choice is not None
        return self.evidence > self.choice.threshold

    @property
    def correlation(self) -> float | None:
        """What the threshold usually is as a correlation."""
        return None if self.choice is None else self.yardstick.correlation(self.choice.threshold)

    def confidence(self) -> float:
        """Tell how sure the groups are, on average, of the weakest link that holds them."""
        assert self.choice is not None
        weakest = self.pairs.weakest_links(self.kept, self.evidence, self.samples)
        return float(np.mean(1 - self.choice.strangers.beyond(weakest)))

    def histogram(self) -> dict[str, Any]:
        """Count images by their strongest evidence, inside their group and with strangers."""
        groups = self.groups[0]
        inside = np.full(self.samples, -np.inf)
        if self.choice is not None:
            own = groups[self.pairs.first] == groups[self.pairs.second]
            for side in (self.pairs.first, self.pairs.second):
                np.maximum.at(inside, side[own], self.evidence[own])
        inside = inside[np.isfinite(inside)]
        outside = self.strangers.outside(groups, self.strangers.evidence(self.yardstick))
        both = np.concatenate([inside, outside, [0.0, 1.0]])
        edges = np.linspace(both.min(), both.max(), _BINS + 1)
        return {
            "edges": [round(float(edge), 3) for edge in edges],
            "inside": np.histogram(inside, edges)[0].tolist(),
            "strangers": np.histogram(outside, edges)[0].tolist(),
            "dimension": round(self.yardstick.dimension, 2),
        }


def _judged(vectors: Vectors, seed: int) -> Iterator[_Judged]:
    """Judge by each yardstick; large groups show only against distant ranks."""
    samples = len(vectors)
    ranks = ranks_for(samples)
    every = tuple(sorted({rank * step for rank in ranks for step in (1, STEP)}))
    around = look_around(vectors, every, seed)
    pairs, strangers = nearest_pairs(vectors), Strangers.around(vectors, seed)
    for rank in ranks:
        yardstick = Yardstick.measured(around, rank)
        evidence = yardstick.evidence(pairs.first, pairs.second, pairs.distance)
        choice = choose_threshold(pairs, evidence, strangers, yardstick, samples)
        yield _Judged(pairs, evidence, yardstick, strangers, choice, samples)


def _with_moved(judged: _Judged, thumbnails: npt.NDArray[np.uint8], seed: int) -> _Judged:
    """Add what is alike only once it is moved; groups that are found already are not searched.

    How near strangers come once aligned is measured on its own, and makes a threshold of its own;
    the evidence is told from the other one.
    """
    samples, yardstick = judged.samples, judged.yardstick
    alone = np.bincount(judged.groups[0])[judged.groups[0]] == 1
    others = np.random.default_rng(seed).permutation(np.flatnonzero(~alone))[:_ASKED]
    pairs, strangers = moved_pairs(thumbnails, np.sort(np.r_[np.flatnonzero(alone), others]))
    evidence = yardstick.evidence(pairs.first, pairs.second, pairs.distance)
    choice = choose_threshold(pairs, evidence, strangers, yardstick, samples)
    if choice is None:
        return judged
    if judged.choice is None:
        return _Judged(pairs, evidence, yardstick, strangers, choice, samples)
    shift = judged.choice.threshold - choice.threshold
    pairs, evidence = either(judged.pairs, judged.evidence, pairs, evidence + shift)
    groups = pairs.groups(evidence > judged.choice.threshold, samples)
    return replace(
        judged, pairs=pairs, evidence=evidence, choice=replace(judged.choice, groups=groups)
    )
