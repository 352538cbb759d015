"""How much nearer two images are than strangers of this very set would be by chance.

Around a sample, strangers lie like points thrown at random into a space of some dimension d: of
the K nearest, the nearest at distance r leaves K (r / R)^d ~ an exponential, where R is the
distance of the K-th. So the evidence e = d log(R / r) - log K follows a Gumbel distribution,
P(e > t) ~ exp(-t), whatever the kind of images; d is read from ranks K to 4 K (the estimator of
Levina and Bickel, 2004, over a wider step). Slices, scans and copies of one person lie far outside.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.data.audit.hidden.neighbours import Indices, Surroundings

STEP = 4
Evidence = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Yardstick:
    """What strangers' distances look like around each sample: at rank K, and their dimension."""

    rank: int
    reach: npt.NDArray[np.float64]
    dimension: float

    @classmethod
    def measured(cls, around: Surroundings, rank: int) -> "Yardstick":
        """Read it from the distances at ranks K and 4 K."""
        near, far = around.at(rank), around.at(STEP * rank)
        growth = float(np.mean(np.log(far / near)))
        return cls(rank, near, float(np.log(STEP) / max(growth, 1e-6)))

    def evidence(self, first: Indices, second: Indices, distance: Evidence) -> Evidence:
        """Give the evidence that pairs of samples at these distances are no strangers."""
        reach = np.sqrt(self.reach[first] * self.reach[second])
        beyond: Evidence = self.dimension * np.log(reach / distance) - np.log(self.rank)
        return beyond

    def correlation(self, evidence: float) -> float:
        """Tell which correlation this evidence is, where samples lie as usual."""
        reach = float(np.median(self.reach))
        distance = reach * np.exp(-(evidence + np.log(self.rank)) / self.dimension)
        return float(1 - distance**2 / 2)


def ranks_for(samples: int) -> tuple[int, ...]:
    """Choose ranks K beyond usual groups: 30, and larger ones where there are enough samples."""
    first = min(30, samples // 6)
    return tuple(rank for rank in (first, 120, 480) if rank == first or 6 * rank <= samples)
