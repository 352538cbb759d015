"""Abstain and refer: the risk among those that are decided, against how many are."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.evaluation.rows import FloatArray

Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class RiskCoverage:
    """Points from the most confident row to all of them.

    At each the share of rows decided (`coverage`), the share of wrong ones among them (`risk`), and
    the least confidence decided on; `area` under the curve (AURC, Geifman et al. 2019, arXiv
    1805.08206), the lower the better.
    """

    coverage: FloatArray
    risk: FloatArray
    confidence: FloatArray
    area: float


def risk_coverage(probabilities: FloatArray, labels: Labels) -> RiskCoverage:
    """Order rows by their highest probability; equals are decided together, or not at all."""
    confidence = probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    wrong = (probabilities.argmax(axis=1) != labels)[order]
    count = np.arange(1, len(order) + 1)
    sure = confidence[order]
    last = np.append(np.flatnonzero(np.diff(sure)), len(order) - 1)  # the last of each level
    coverage, risk = count[last] / len(order), np.cumsum(wrong)[last] / count[last]
    steps = np.diff(coverage, prepend=0.0)
    return RiskCoverage(coverage, risk, sure[last], float(steps @ risk))
