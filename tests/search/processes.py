"""Starts, watches and kills drivers in processes of their own."""

import time
from collections import Counter
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

from raymed.search import close_storage, open_storage
from tests.forked import exit_code, forked
from tests.search.driver import drive

PATIENCE = 120  # seconds for a driver's trials


class Drivers:
    """Starts drivers of one study."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder, self.log = tmp_path / "study", tmp_path / "log"

    def start(self, trials: int, seconds: float, *words: str) -> ForkServerProcess:
        return forked(drive, self.folder, self.log, trials, seconds, words)

    def wait_for(self, lines: int) -> None:
        for _ in range(6000):
            if self.log.exists() and len(self.log.read_text().splitlines()) >= lines:
                return
            time.sleep(0.01)
        raise AssertionError(f"not {lines} folds in a minute")

    def ran(self) -> Counter[tuple[int, int]]:
        """How often each fold of each trial was begun."""
        words = [line.split() for line in self.log.read_text().splitlines()]
        return Counter((int(number), int(fold)) for number, fold, _ in words)

    def trials(self, url: str | None = None) -> list[FrozenTrial]:
        storage = open_storage(url, self.folder)
        trials = optuna.load_study(study_name="toy", storage=storage).trials
        close_storage(storage)
        return trials


def ended(process: ForkServerProcess) -> int | None:
    """Wait for a driver to end by itself; gives its exit code."""
    return exit_code(process, PATIENCE)


def kill(process: ForkServerProcess) -> None:
    process.kill()
    process.join()
