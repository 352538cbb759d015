"""The threshold: chosen from the set itself, so that few links join strangers."""

from dataclasses import dataclass

import numpy as np

from raymed.data.hidden.evidence import STEP, Evidence, Yardstick
from raymed.data.hidden.links import Pairs, Strangers
from raymed.data.hidden.neighbours import Indices

FALSE_LINKS = 0.05
"""How many false links a proposed group are borne."""
_LEAST_SCALE = 0.6
_STEP, _HIGHEST = 0.25, 60.0
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
    """Choose the lowest threshold with at most `FALSE_LINKS` false links a group.

    At each level, how near strangers come is measured outside the groups that it makes: a level
    amid the strangers, or amid a person's own images, finds its "strangers" pressed against it,
    and is refused. None where no level is good: then the set shows no groups.
    """
    highest = min(_HIGHEST, evidence.max(initial=0))
    for level in np.arange(0.0, highest, _STEP):
        groups = pairs.groups(evidence > level, samples)
        sizes = np.bincount(groups)
        count = int((sizes > 1).sum())
        outside = strangers.evidence_outside(groups, yardstick)
        if count == 0 or len(outside) == 0 or sizes.max() > STEP * yardstick.rank:
            continue  # larger groups hold their own yardstick: they may be a kind of image
        strangeness = Strangeness.fitted(outside)
        false_links = float(samples * strangeness.beyond(level)) / count
        if false_links <= FALSE_LINKS:
            return Choice(float(level), groups, strangeness, outside, false_links)
    return None
