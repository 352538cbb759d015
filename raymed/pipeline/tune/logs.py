"""What a sweep writes for other tools: each logger is told of a trial as it goes on."""

import queue
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from optuna.trial import FrozenTrial, TrialState

from raymed.errors import RaymedError
from raymed.pipeline.events import Event, Note
from raymed.search import fold_seconds, fold_values

POOLED = "log_loss/pooled"
Attempts = Mapping[int, Path]
"""By fold, the attempt that counts."""


class LogError(RaymedError):
    """A logger cannot write; the study, and the sweep, are none the worse."""


class Logger(Protocol):
    """Writes down trials for one tool. Told of a trial again, it adds only what is new."""

    def look(self) -> None:
        """See what is written down by now, by whomever. Raises `LogError`."""
        ...

    def knows(self, number: int) -> bool:
        """Tell whether all of a trial that has ended is written down."""
        ...

    def log(self, trial: FrozenTrial, attempts: Attempts) -> None:
        """Write down what of a trial is not yet. Raises `LogError`."""
        ...

    def close(self) -> None:
        """Say that no driver is at work any more. Raises `LogError`."""
        ...


@dataclass
class Logs:
    """All the loggers of a sweep. One that cannot write is left alone until the end."""

    loggers: Sequence[Logger] = ()
    news: "queue.SimpleQueue[Event]" = field(default_factory=queue.SimpleQueue)
    silent: list[Logger] = field(default_factory=list)

    def log(self, trial: FrozenTrial, attempts: Attempts) -> None:
        """Have a trial written down by every logger that can."""
        for logger in self.loggers:
            if logger not in self.silent:
                try:
                    logger.log(trial, attempts)
                except LogError as error:
                    self.silent.append(logger)
                    missing = "the sweep goes on; what is missing here is tried again at its end"
                    self.news.put(Note(f"{error}; {missing}", warning=True))

    def close(
        self, trials: Iterable[FrozenTrial], attempts: Callable[[FrozenTrial], Attempts]
    ) -> None:
        """Catch up with every trial that has ended: a logger, or a driver before, was broken off.

        A logger that cannot write now is told all of it again by the next driver.
        """
        ended = [trial for trial in trials if trial.state.is_finished()]
        for logger in self.loggers:
            try:
                logger.look()
                for trial in ended:
                    if not logger.knows(trial.number):
                        logger.log(trial, attempts(trial) if fold_values(trial) else {})
                logger.close()
            except LogError as error:
                missing = "what is missing there comes with the next `raymed tune`"
                self.news.put(Note(f"{error}; {missing}", warning=True))


def figures(trial: FrozenTrial) -> dict[str, float]:
    """Name what is known of a trial: log loss of its folds, pooled; seconds of training."""
    known = {f"log_loss/fold-{fold}": value for fold, value in sorted(fold_values(trial).items())}
    if trial.state.is_finished():
        if trial.state == TrialState.COMPLETE:  # a pruned one has its last fold's value
            known[POOLED] = trial.values[0]
        known["seconds"] = sum(fold_seconds(trial).values())
    return known
