"""What a stack says of new images, before it becomes a table."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from raymed.ensemble import Uncertainty
from raymed.predict.evidence import Opinion
from raymed.predict.table import Array, group_means


@dataclass(frozen=True)
class Predicted:
    """Probabilities [rows, classes], those to average over patients, and each row's uncertainty.

    `opinion` is that of evidential members, None without any.
    """

    probabilities: Array
    to_average: Array
    uncertainty: Uncertainty
    opinion: Opinion | None = None

    def averaged(self, groups: npt.NDArray[np.int64]) -> "Predicted":
        """Average the rows of each group, numbered from 0."""
        own, people = self.uncertainty, group_means(self.to_average, groups)
        parts = (own.total, own.expected, own.disagreement)
        return Predicted(
            people,
            people,
            Uncertainty(*(group_means(part, groups) for part in parts)),
            None if self.opinion is None else self.opinion.averaged(groups),
        )
