"""How much of a batch goes through a model at once, learned where the device's memory ran out."""

from dataclasses import dataclass
from itertools import pairwise

LEAST = 2
"""Samples that a pass in training needs: BatchNorm cannot take one."""


@dataclass
class MicroBatch:
    """The samples that one process takes through its model at once, at `most`; None: all of them.

    A batch that is larger is cut into parts whose gradients are added up: the step, its loss and
    its clipping are those of the whole batch. One more than `most` is taken where a part would
    otherwise have a single sample.
    """

    most: int | None = None

    def cut(self, samples: int) -> list[slice]:
        """Cut samples, in order, into as few parts as that allows; sizes differ by one at most."""
        parts = 1 if self.most is None else -(-samples // self.most)
        parts = max(1, min(parts, samples // LEAST))
        edges = [samples * part // parts for part in range(parts + 1)]
        return [slice(start, end) for start, end in pairwise(edges)]

    def halve(self, samples: int) -> bool:
        """Take about half at once of what was taken of so many; False where that is impossible."""
        largest = max(part.stop - part.start for part in self.cut(samples))
        if largest < 2 * LEAST:
            return False
        self.most = -(-largest // 2)
        return True
