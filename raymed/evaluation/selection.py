"""What was gained by choosing among trials: figures that flatter, and figures that do not."""

from collections.abc import Iterable
from dataclasses import dataclass

from numpy.typing import ArrayLike

from raymed.data.predictions import Level
from raymed.evaluation.comparison import Difference, difference_of_rows
from raymed.evaluation.estimates import Estimate
from raymed.evaluation.figures import headline_figures
from raymed.evaluation.rows import Rows
from raymed.evaluation.scoring import estimate_figures, rows_at_level


@dataclass(frozen=True)
class Losses:
    """Log losses on the same rows: of what was chosen, of what else there was, and their gap.

    `apart` is chosen minus other, patient by patient: negative where the choice is better. Both
    are None where there was nothing else.
    """

    chosen: Estimate
    other: Estimate | None = None
    apart: Difference | None = None

    @property
    def gained(self) -> bool:
        """Whether the choice is the better one, beyond the interval."""
        return self.apart is not None and self.apart.high is not None and self.apart.high < 0


@dataclass(frozen=True)
class Selection:
    """A study's choice: among which trials, and what the best of them is worth.

    `naive` scores the best trial on the folds that chose it; `nested` each fold by the trial of
    `each`, which the other folds chose; `test` the best trial on the test split, which took no
    part; all beside `recipe`, the trial that changes nothing, None where it is not complete.
    `flattery` is nested minus naive, patient by patient.
    """

    level: Level
    trials: tuple[int, ...]
    best: int
    recipe: int | None
    each: tuple[int, ...]
    naive: Losses
    nested: Losses
    flattery: Difference
    test: Losses | None = None


def score_choice(
    chosen: ArrayLike,
    other: ArrayLike | None,
    labels: ArrayLike,
    patients: Iterable[object],
    *,
    level: Level,
    draws: int = 1000,
    seed: int = 0,
) -> Losses:
    """Score what was chosen beside what else there was, both [samples, classes].

    Raises InputError as `score` does.
    """
    names = list(patients)
    own = rows_at_level(chosen, labels, names, level)
    if other is None:
        return Losses(_log_loss(own, draws, seed))
    against = rows_at_level(other, labels, names, level)
    apart, _ = difference_of_rows(own, against, "log_loss", 1, draws, seed)
    return Losses(_log_loss(own, draws, seed), _log_loss(against, draws, seed), apart)


def _log_loss(rows: Rows, draws: int, seed: int) -> Estimate:
    names = [str(index) for index in range(rows.classes)]
    figures = headline_figures(rows, names, [], ordinal=False, positive=None)
    own = {"log_loss": figures["log_loss"]}
    return estimate_figures(own, rows, draws, seed)[0]["log_loss"]
