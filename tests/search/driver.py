"""What a process of its own does: drive the study in a folder, logging each fold before it runs."""

import time
from pathlib import Path

import optuna

from raymed.search import Budget, Identity, Trial, drivers, open_storage, open_study


def suggest(trial: optuna.Trial) -> float:
    return trial.suggest_float("rho", 0.0, 1.0)


def drive(folder: Path, log: Path, trials: int, seconds: float, words: tuple[str, ...]) -> None:
    """Run trials of so many seconds a fold; words are alone, together or a database's URL."""
    url = next((word for word in words if "://" in word), None)
    study = open_study(
        open_storage(url, folder),
        folder,
        "toy",
        Identity.of("m", "f", 7, 1, {}),
        suggest,
        folds=3,
        budget=Budget(trials=trials),
        sampler="random",
    )

    def run(trial: Trial) -> None:
        for fold in sorted(set(range(3)) - trial.done.keys()):
            with log.open("a") as file:
                file.write(f"{trial.number} {fold} {trial.chosen}\n")
            time.sleep(seconds)
            study.report(trial, fold, trial.chosen + fold)
        study.finish(trial)

    study.heartbeat()
    while "together" in words and len(drivers(study.study)) < 2:
        time.sleep(0.02)
    for orphan in study.adopt(alone="alone" in words):
        run(orphan)
    while (trial := study.ask()) is not None:
        run(trial)
