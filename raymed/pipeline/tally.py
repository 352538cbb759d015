"""Where a study stands: what became of its trials, what they cost, how long the rest takes.

Loads neither torch nor Ray nor Optuna, so that another process can ask at once.
"""

from dataclasses import dataclass

Told = float | int | str | bool | None
"""A parameter as it is told."""


@dataclass(frozen=True)
class Standing:
    """A complete trial among the best: its number, its score, its parameters by name."""

    number: int
    score: float
    parameters: dict[str, Told]


@dataclass(frozen=True)
class Tally:
    """A study as it stood `at` a time, in seconds since 1970; all its sessions together.

    `best` and `recipe`, the recipe as it stands, are a trial's number and its score, None while it
    is not complete. `spared` folds were not trained as their trials were stopped. `trained` are the
    seconds of the folds of ended trials, `under_way` those of the finished folds of the others.
    `leading` are the best trials, the best one first. Budgets are None where there is none.
    """

    at: float
    complete: int = 0
    pruned: int = 0
    failed: int = 0
    running: int = 0
    spared: int = 0
    best: tuple[int, float] | None = None
    recipe: tuple[int, float] | None = None
    leading: tuple[Standing, ...] = ()
    hours: float = 0
    gpu_hours: float = 0
    trained: float = 0
    under_way: float = 0
    at_once: int = 1
    gpus: float = 0
    trials_budget: int | None = None
    hours_budget: float | None = None
    gpu_hours_budget: float | None = None

    @property
    def ended(self) -> int:
        """How many trials have ended, whatever became of them."""
        return self.complete + self.pruned + self.failed

    @property
    def gain(self) -> float | None:
        """How far the best score lies below that of the recipe as it stands."""
        if self.best is None or self.recipe is None:
            return None
        return self.recipe[1] - self.best[1]

    def used(self, now: float) -> float:
        """Give the seconds that a driver was at work."""
        return self.hours * 3600 + max(0.0, now - self.at)

    def left(self, now: float) -> float | None:
        """Estimate the seconds until a budget is spent; None while that is unknown, or overdue."""
        known = [self._trials_last(), self._hours_last(), self._gpu_hours_last()]
        seconds = [each for each in known if each is not None]
        rest = min(seconds, default=0.0) - max(0.0, now - self.at)
        return rest if rest > 0 else None

    def _trials_last(self) -> float | None:
        """Give the rest of the trials the mean seconds of those that have ended."""
        if self.trials_budget is None or not self.ended or not self.trained:
            return None
        mean, rest = self.trained / self.ended, max(0, self.trials_budget - self.ended)
        shared = max(0.0, mean * rest - self.under_way) / self.at_once
        return max(shared, mean) if rest > self.running else shared

    def _hours_last(self) -> float | None:
        return None if self.hours_budget is None else (self.hours_budget - self.hours) * 3600

    def _gpu_hours_last(self) -> float | None:
        if self.gpu_hours_budget is None or not self.gpus:
            return None
        return (self.gpu_hours_budget - self.gpu_hours) / (self.gpus * self.at_once) * 3600
