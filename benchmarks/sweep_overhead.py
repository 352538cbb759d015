"""What the sweep itself costs: stub trials through Ray Tune and a real study, nothing trained.

    uv run python benchmarks/sweep_overhead.py              # 2,000 trials of 3 folds, half an hour
    uv run python benchmarks/sweep_overhead.py --trials 200

Tells seconds a trial after Ray's start, the driver's memory at a tenth and at the end, and how long
the journal takes to open again. Writes `sweep_overhead.md`.
"""

import argparse
import os
import platform
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import optuna
import psutil
from optuna.trial import BaseTrial

import raymed
from raymed.cluster import Failed, Finished, TrialUnits, sweep
from raymed.cluster.embedded import embedded_ray
from raymed.search import Budget, Identity, SharedStudy, Trial, open_storage, open_study
from raymed.training import Progress

TABLE = Path(__file__).with_suffix(".md")
FOLDS = 3
MIB = 2**20


@dataclass(frozen=True)
class Stub:
    """A fold that is worth what its trial's rate says, at once."""

    fold: int
    lr: float
    workers: int = 1

    def work(self, checkpoint: Path | None = None) -> Iterator[Progress]:
        """Report once, and return the value."""
        yield Progress(1, 1)
        return abs(self.lr - 0.3) + 0.01 * self.fold


@dataclass
class Stubs:
    """Decides as `raymed tune` does, without members."""

    study: SharedStudy
    trials: dict[int, Trial] = field(default_factory=dict)
    ended: int = 0
    memory: dict[int, float] = field(default_factory=dict)
    began: float | None = None

    def ask(self) -> TrialUnits[Stub] | None:
        """Ask the study."""
        trial = self.study.ask()
        if trial is None:
            return None
        self.trials[trial.number] = trial
        return TrialUnits(trial.number, tuple(Stub(f, trial.chosen) for f in range(FOLDS)))

    def heard(self, number: int, said: Finished[Stub] | Failed[Stub]) -> bool:
        """Tell the study, and obey its pruner."""
        assert isinstance(said, Finished)
        self.began = self.began or time.monotonic()
        trial = self.trials[number]
        self.study.report(trial, said.unit.fold, said.result)
        if said.unit.fold == FOLDS - 1 or self.study.should_prune(trial):
            self.study.finish(trial, pruned=said.unit.fold < FOLDS - 1)
            del self.trials[number]
            self.ended += 1
            self.memory[self.ended] = psutil.Process().memory_info().rss / MIB
            return False
        return True

    def heard_epoch(self, number: int, unit: Stub, progress: Progress) -> bool:
        """Go on: stubs have no epochs."""
        return True


def suggest(trial: BaseTrial) -> float:
    """Draw a rate."""
    return trial.suggest_float("lr", 1e-3, 1, log=True)


def open_stubs(folder: Path, trials: int) -> SharedStudy:
    """Open the journal of the stub study."""
    return open_study(
        open_storage(None, folder),
        folder,
        "stubs",
        Identity.of("", "", 0, 0, []),
        suggest,
        folds=FOLDS,
        budget=Budget(trials),
    )


def main() -> None:
    """Run the stubs, and write what they cost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--trials", type=int, default=2000)
    trials = parser.parse_args().trials
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        stubs = Stubs(open_stubs(folder, trials))
        with embedded_ray(2, 0, folder / "log") as scratch:
            for _ in sweep(stubs, 2, 0, 1, scratch):
                pass
        assert stubs.began is not None
        seconds = (time.monotonic() - stubs.began) / trials
        before = time.monotonic()
        found = open_stubs(folder, trials).study.get_trials(deepcopy=False)
        opened = time.monotonic() - before
        pruned = sum(trial.state == optuna.trial.TrialState.PRUNED for trial in found)
        size = sum(file.stat().st_size for file in folder.glob("journal*")) / MIB
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, "
        f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, no GPU.",
        "",
        "| what | found |",
        "|---|---|",
        f"| trials of {FOLDS} folds, of them pruned | {len(found)}, {pruned} |",
        f"| seconds a trial | {seconds:.2f} |",
        f"| driver, MiB after {trials // 10} trials and at the end | "
        f"{stubs.memory[trials // 10]:.0f}, {stubs.memory[trials]:.0f} |",
        f"| the journal: MiB, seconds to open | {size:.1f}, {opened:.1f} |",
    ]
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
