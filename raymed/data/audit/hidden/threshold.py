"""The threshold: chosen from the set itself, so that few links join strangers."""

from dataclasses import dataclass

import numpy as np

from raymed.data.audit.hidden.evidence import STEP, Evidence, Yardstick
from raymed.data.audit.hidden.links import Pairs, Strangers
from raymed.data.audit.hidden.neighbours import Indices

FALSE_LINKS = 0.05
"""How many false links a proposed group are borne."""
_LEAST_SCALE, _LEAST_OUTSIDE = 0.6, 20
_FEWEST_LINKS = 3  # a lone pair may be chance, or two pictures of next to nothing
_STEP, _HIGHEST, _LOST = 0.25, 60.0, 0.05
_HALF, _TENTH, _HUNDREDTH = 0.3665, 2.2504, 4.6001  # quantiles of a Gumbel distribution


@dataclass(frozen=True)
class Strangeness:
    """How strong strangers' best evidence is: a Gumbel distribution.

    Its scale is 1 in theory, and less where few people are all the strangers there are.
    """

    location: float = 0.0
    scale: float = 1.0

    @classmethod
    def fitted(cls, evidence: Evidence) -> "Strangeness":
        """Fit by quantiles; the widest of two scales, so that a heavy tail is believed."""
        half, tenth, hundredth = np.quantile(evidence, [0.5, 0.9, 0.99])
        scale = max(
            _LEAST_SCALE,
            (tenth - half) / (_TENTH - _HALF),
            (hundredth - half) / (_HUNDREDTH - _HALF),
        )
        return cls(float(half - scale * _HALF), float(scale))

    def beyond(self, threshold: float | Evidence) -> Evidence:
        """Give the chance that a sample has a stranger with evidence above the threshold."""
        z = (np.asarray(threshold, dtype=np.float64) - self.location) / self.scale
        return -np.expm1(-np.exp(-z))


@dataclass(frozen=True)
class Choice:
    """A threshold of evidence, the groups that it makes, and what it rests on."""

    threshold: float
    groups: Indices
    strangers: Strangeness
    outside: Evidence
    false_links: float  # expected, a group


def choose_threshold(
    pairs: Pairs, evidence: Evidence, strangers: Strangers, yardstick: Yardstick, samples: int
) -> Choice | None:
    """Choose a threshold with at most `FALSE_LINKS` false links a group, where links are few.

    At each level, how near strangers come is measured outside the groups that it makes: a level
    amid the strangers, or amid a person's own images, finds its "strangers" pressed against it,
    and is refused. None where no level is good: then the set shows no groups.
    """
    levels = np.arange(0.0, min(_HIGHEST, evidence.max(initial=0)), _STEP)
    kept = evidence > 0
    scale = _Scale(
        pairs.where(kept),
        evidence[kept],
        strangers,
        strangers.evidence(yardstick),
        STEP * yardstick.rank,
        samples,
    )
    for place, level in enumerate(levels):
        choice = scale.judged(float(level))
        if choice is not None and choice.false_links <= FALSE_LINKS:
            calm = scale.judged(scale.calmest(levels[place:]))
            better = calm is not None and calm.false_links <= FALSE_LINKS
            return calm if better else choice
    return None


@dataclass(frozen=True)
class _Scale:
    """Pairs and strangers, to be parted at some level of evidence."""

    pairs: Pairs
    evidence: Evidence
    strangers: Strangers
    of_strangers: Evidence
    largest: int  # a larger group holds its own yardstick: it may be a kind of image
    samples: int

    def groups(self, level: float) -> Indices:
        return self.pairs.groups(self.evidence > level, self.samples)

    def judged(self, level: float) -> Choice | None:
        """Judge one level; None where it makes no groups, or too little is left outside them."""
        groups = self.groups(level)
        sizes = np.bincount(groups)
        if self.samples - len(sizes) < _FEWEST_LINKS or sizes.max() > self.largest:
            return None
        outside = self.strangers.outside(groups, self.of_strangers)
        if len(outside) < _LEAST_OUTSIDE:
            return None
        strangeness = Strangeness.fitted(outside)
        false_links = float(self.samples * strangeness.beyond(level)) / int((sizes > 1).sum())
        return Choice(level, groups, strangeness, outside, false_links)

    def calmest(self, levels: Evidence) -> float:
        """Move up to where a change of the level changes least, losing few links."""
        counts = [int(self.groups(levels[0]).max()) + 1]
        most = counts[0] + _LOST * (self.samples - counts[0])
        for level in levels[1:]:
            count = int(self.groups(level).max()) + 1
            if count > most:
                break
            counts.append(count)
        padded = np.array([counts[0], *counts, int(most) + 1])
        change = padded[2:] - padded[:-2]
        calm = np.flatnonzero(change == change.min())
        return float(levels[calm[len(calm) // 2]])
