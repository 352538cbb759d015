"""The threshold: chosen from the set itself, so that few links join strangers."""

from dataclasses import dataclass

import numpy as np

from raymed.data.hidden.evidence import STEP, Evidence, Yardstick
from raymed.data.hidden.links import Pairs, Strangers
from raymed.data.hidden.neighbours import Indices

FALSE_LINKS = 0.05
"""How many false links a proposed group are borne."""
_LEAST_SCALE = 0.6
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
    pairs: Pairs,
    evidence: Evidence,
    strangers: Strangers,
    yardstick: Yardstick,
    samples: int,
) -> Choice | None:
    """Choose a threshold with at most `FALSE_LINKS` false links a group, where links are few.

    At each level, how near strangers come is measured outside the groups that it makes: a level
    amid the strangers, or amid a person's own images, finds its "strangers" pressed against it,
    and is refused. None where no level is good: then the set shows no groups.
    """
    levels = np.arange(0.0, min(_HIGHEST, evidence.max(initial=0)), _STEP)
    for place, level in enumerate(levels):
        choice = _choice(float(level), pairs, evidence, strangers, yardstick, samples)
        if choice is not None and choice.false_links <= FALSE_LINKS:
            calm = _calmest(levels[place:], pairs, evidence, samples)
            return _choice(calm, pairs, evidence, strangers, yardstick, samples)
    return None


def _choice(
    level: float,
    pairs: Pairs,
    evidence: Evidence,
    strangers: Strangers,
    yardstick: Yardstick,
    samples: int,
) -> Choice | None:
    """Judge one threshold; None where it makes no groups, or nothing is left outside them."""
    groups = pairs.groups(evidence > level, samples)
    sizes = np.bincount(groups)
    outside = strangers.evidence_outside(groups, yardstick)
    # A group beyond its own yardstick may be a kind of image.
    if not 1 < sizes.max() <= STEP * yardstick.rank or len(outside) == 0:
        return None
    strangeness = Strangeness.fitted(outside)
    false_links = float(samples * strangeness.beyond(level)) / int((sizes > 1).sum())
    return Choice(level, groups, strangeness, outside, false_links)


def _calmest(levels: Evidence, pairs: Pairs, evidence: Evidence, samples: int) -> float:
    """Move up to where a change of the threshold changes least, losing few links."""
    counts = [len(np.bincount(pairs.groups(evidence > levels[0], samples)))]
    most = counts[0] + _LOST * (samples - counts[0])
    for level in levels[1:]:
        count = len(np.bincount(pairs.groups(evidence > level, samples)))
        if count > most:
            break
        counts.append(count)
    padded = np.array([counts[0], *counts, int(most) + 1])
    change = padded[2:] - padded[:-2]
    calm = np.flatnonzero(change == change.min())
    return float(levels[calm[len(calm) // 2]])
