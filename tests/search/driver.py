"""A process of its own that drives the study in a folder; it logs each fold before it runs it.

`python driver.py FOLDER LOG TRIALS SECONDS_A_FOLD [alone] [together] [URL]`
"""

import sys
import time
from pathlib import Path

import optuna

from raymed.search import Budget, Identity, Trial, drivers, open_storage, open_study


def suggest(trial: optuna.Trial) -> float:
    return trial.suggest_float("rho", 0.0, 1.0)


def main(folder: Path, log: Path, trials: int, seconds: float) -> None:
    url = next((word for word in sys.argv[5:] if "://" in word), None)
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
    while "together" in sys.argv and len(drivers(study.study)) < 2:
        time.sleep(0.02)
    for orphan in study.adopt(alone="alone" in sys.argv):
        run(orphan)
    while (trial := study.ask()) is not None:
        run(trial)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]), int(sys.argv[3]), float(sys.argv[4]))
