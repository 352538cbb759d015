"""Starts, watches and kills drivers in processes of their own."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial

import raymed
from raymed.search import close_storage, open_storage

SCRIPT = Path(__file__).with_name("driver.py")
ROOT = Path(raymed.__file__).parent.parent


class Drivers:
    """Starts drivers of one study."""

    def __init__(self, tmp_path: Path) -> None:
        self.folder, self.log = tmp_path / "study", tmp_path / "log"

    def start(self, trials: int, seconds: float, *words: str) -> "subprocess.Popen[bytes]":
        given = [str(self.folder), str(self.log), str(trials), str(seconds), *words]
        paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}
        return subprocess.Popen([sys.executable, str(SCRIPT), *given], env=environment)

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


def kill(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGKILL)
    process.wait()
