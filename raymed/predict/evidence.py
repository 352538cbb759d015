"""What evidential members say of new images beside their class: belief, and doubt of all."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

from raymed.data.predictions import opinion_of
from raymed.predict.table import Array, group_means


@dataclass(frozen=True)
class Opinion:
    """Uncertainty [rows], belief and expected probabilities [rows, classes].

    Belief in all classes and uncertainty add up to 1; without evidence uncertainty is 1.
    """

    uncertainty: Array
    belief: Array
    expected: Array

    @classmethod
    def of(cls, logits: npt.NDArray[np.float32]) -> Self:
        """Average what models say by logits, which are log(alpha), [models, rows, classes]."""
        belief, uncertainty, expected = opinion_of(logits)
        return cls(uncertainty.mean(axis=0), belief.mean(axis=0), expected.mean(axis=0))

    def averaged(self, groups: npt.NDArray[np.int64]) -> "Opinion":
        """Average the rows of each group, numbered from 0."""
        parts = (self.uncertainty, self.belief, self.expected)
        return Opinion(*(group_means(part, groups) for part in parts))

    def columns(self, classes: Sequence[str]) -> dict[str, Array]:
        """Name them as the table of predictions does."""
        found = {"evidential_uncertainty": self.uncertainty}
        for what, values in (("belief", self.belief), ("probability", self.expected)):
            found |= {f"evidential_{what}_{name}": values[:, i] for i, name in enumerate(classes)}
        return found
