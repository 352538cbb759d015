"""Which pruner saves folds without losing the best trial? Simulated studies, nothing trained.

    uv run python benchmarks/pruners.py              # 60 studies of each kind, half an hour
    uv run python benchmarks/pruners.py --studies 5

A study has 40 trials, in random order. A patient's loss in a trial is what the patient is worth in
every trial (standard deviation .6), what the trial is worth, what it is worth on the fold (.01) and
chance (.2). In a close study trials are worth as much as chance moves a fold's difference; in a
wide one a third of them are a further .3 worse, as rates far too high or low are. With 60 patients
a fold has few, with 400 many. Every pruner sees the same losses through a real study. A study's
best trial is the one of the lowest pooled loss, all folds trained; it is lost when it was stopped,
and the regret is how much worse the best complete trial is. Writes `pruners.md` beside itself.
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import numpy.typing as npt
import optuna
from rich.progress import track

import raymed
from raymed.search import OofRows, fold_order, make_pruner, worse_by_patient
from raymed.search.pruning import MedianOfMeans

TABLE = Path(__file__).with_suffix(".md")
TRIALS = 40
FOLDS, PATIENTS = (3, 4, 5, 10), (60, 400)
PRUNERS = ("wilcoxon", "median", "paired .05", "paired .2")
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Simulated:
    """The losses of a study [trials, patients], and the fold of each patient [patients]."""

    losses: FloatArray
    fold: npt.NDArray[np.int64]
    seed: int

    @classmethod
    def draw(cls, folds: int, patients: int, wide: bool, seed: int) -> "Simulated":
        """Draw a study."""
        rng = np.random.default_rng([seed, folds, patients, int(wide)])
        fold = rng.permutation(np.arange(patients) % folds)
        spread = 0.2 * np.sqrt(2 * folds / patients)
        worth = rng.normal(0, spread, TRIALS) + 0.3 * (wide & (rng.random(TRIALS) < 1 / 3))
        on_fold = rng.normal(0, 0.01, (TRIALS, folds))
        chance = rng.normal(0, 0.2, (TRIALS, patients))
        own = rng.gamma(1.0, 0.6, patients)
        losses = own + worth[:, None] + on_fold[:, fold] + chance
        return cls(losses - losses.min() + 0.01, fold, seed)

    def rows(self, trial: int, folds: list[int]) -> OofRows:
        """Give a trial's predictions of some folds: two classes, the first is true."""
        kept = np.flatnonzero(np.isin(self.fold, folds))
        true = np.exp(-self.losses[trial, kept])
        names = kept.astype(str)
        zeros = np.zeros(len(kept), dtype=np.int64)
        return OofRows(names, names, zeros, np.stack([true, 1 - true], axis=1))


@dataclass(frozen=True)
class Outcome:
    """What a pruner did to a study: the share of folds trained, the best lost, the regret."""

    used: float
    lost: bool
    regret: float


def run(simulated: Simulated, pruner: str, folds: int) -> Outcome:
    """Go through a study, trial after trial, fold after fold."""
    kind, _, p = pruner.partition(" ")
    study = optuna.create_study(
        pruner=MedianOfMeans()
        if kind == "median"
        else make_pruner("wilcoxon" if kind == "wilcoxon" else "none")
    )
    pooled = simulated.losses.mean(axis=1)
    complete: list[int] = []
    trained = 0
    for number in range(TRIALS):
        trial, done = study.ask(), []
        for fold in fold_order(simulated.seed, number, folds):
            done.append(fold)
            trained += 1
            trial.report(float(simulated.losses[number, simulated.fold == fold].mean()), fold)
            if len(done) == folds:
                complete.append(number)
                study.tell(trial, float(pooled[number]))
            elif trial.should_prune() or (
                p and complete and worse(simulated, number, done, complete, pooled, float(p))
            ):
                study.tell(trial, state=optuna.trial.TrialState.PRUNED)
                break
    best = int(pooled.argmin())
    return Outcome(
        trained / (TRIALS * folds),
        best not in complete,
        float(pooled[complete].min() - pooled[best]),
    )


def worse(
    simulated: Simulated,
    number: int,
    done: list[int],
    complete: list[int],
    pooled: FloatArray,
    p: float,
) -> bool:
    """Test a trial by patient against the best complete one."""
    rival = complete[int(pooled[complete].argmin())]
    return worse_by_patient(simulated.rows(number, done), simulated.rows(rival, done), p)


def cells(
    studies: int, folds: int, patients: int, wide: bool, told: Callable[[], None]
) -> list[str]:
    """Summarize every pruner on the same studies."""
    found = []
    for pruner in PRUNERS:
        outcomes = []
        for seed in range(studies):
            outcomes.append(run(Simulated.draw(folds, patients, wide, seed), pruner, folds))
            told()
        used, regret = (np.mean([getattr(o, key) for o in outcomes]) for key in ("used", "regret"))
        lost = np.mean([o.lost for o in outcomes])
        found.append(f"{used:.2f} / {lost:.2f} / {regret:.4f}")
    return found


def main() -> None:
    """Simulate, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--studies", type=int, default=60)
    studies = parser.parse_args().studies
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = [
        (wide, patients, folds)
        for wide in (False, True)
        for patients in PATIENTS
        for folds in FOLDS
    ]
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}; {studies} studies of {TRIALS} "
        "trials a row. Share of folds trained / share of studies that lost their best trial / "
        "mean regret in nats.",
        "",
        f"| study | patients | folds | {' | '.join(PRUNERS)} |",
        "|---|---|---|" + "---|" * len(PRUNERS),
    ]
    bar = iter(track(range(len(kinds) * studies * len(PRUNERS)), "simulating"))
    for wide, patients, folds in kinds:
        row = cells(studies, folds, patients, wide, lambda: next(bar) and None)
        words = "wide" if wide else "close"
        lines.append(f"| {words} | {patients} | {folds} | {' | '.join(row)} |")
    TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    print(TABLE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
