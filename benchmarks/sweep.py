"""Is a sweep worth its hours: the recipe as it stands, random search, stock Ray Tune, and ours.

    uv run python benchmarks/sweep.py            # two sets, three seeds: an hour and a half
    uv run python benchmarks/sweep.py --quick    # five minutes; its figures mean nothing

PneumoniaMNIST (400 training X-rays, its own test split of 624) at 32 px, and three slices of each
of the 200 Alzheimer people at 48 px, demented or not, a third of the people as the test split. One
recipe, MobileNetV2 with a short SAM, on five folds; searched are rho, both phases' rates, their
ratio and weight decay, in the usual space. Ours runs a number of trials and prunes; random search
and stock OptunaSearch + ASHA (a fold is its unit of time, the mean so far its metric) then get as
many fold trainings as ours took, and the same first trial, the recipe itself. A winner that stock
stopped early is finished for its score, at no charge.

Every seed draws test people, folds, first weights, batches and searches anew. Scores are log loss
by patient (X-rays: by image). Writes `sweep.md` beside itself; with `--folder` what was trained
stays there, and the same call continues.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from optuna.trial import FrozenTrial
from sweep_rivals import Bench, random_search, scored, stock_search
from sweep_table import CORES, Round, table

from raymed.config import Experiment, parse_experiment
from raymed.files import read_json, write_json
from raymed.pipeline.events import Event, Training
from raymed.pipeline.tune import Tuned, tune_events
from raymed.search import fold_values
from raymed.search.budget import FOLD
from raymed.stories import result_of

TABLE = Path(__file__).with_suffix(".md")
SHARED = Path(__file__).resolve().parents[2] / "shared"
FOLDS, X_RAYS, SLICES = 5, 400, 3
RECIPE: dict[str, Any] = {
    "model": "mobilenetv2_100",
    "pretrained": {"file": str(SHARED / "weights" / "mobilenetv2_100_features.pth")},
    "batch_size": 32,
    "sam": {"rho": 0.005, "part": 0.25, "last": 0.5},
    "phases": [
        {"train": "head", "epochs": 1, "lr": 3e-3},
        {"train": "all", "epochs": 2, "lr": 1e-4, "ratio": 0.1, "warmup": 0.1},
    ],
}


def write_x_rays(folder: Path, seed: int) -> dict[str, Any]:
    """Write some of the training X-rays, drawn by seed, with the whole test split."""
    whole = np.load(SHARED / "data" / "pneumoniamnist.npz")
    parts = dict(whole)
    drawn = np.random.default_rng(seed).permutation(len(parts["train_images"]))[:X_RAYS]
    for name in ("train_images", "train_labels"):
        parts[name] = parts[name][np.sort(drawn)]
    for name in ("val_images", "val_labels"):
        parts[name] = parts[name][:2]
    np.savez(folder / "x-rays.npz", **parts)
    return {
        "source": "x-rays.npz",
        "patients": "none",
        "acknowledge": ["patients-not-declared"],
        "classes": ["normal", "pneumonia"],
    }


def write_slices(folder: Path, _: int) -> dict[str, Any]:
    """Write some slices of each person; a third of the people are the test split, drawn by seed."""
    table = pd.read_csv(SHARED / "data" / "alzheimer" / "subjects_recovered.csv")
    images = SHARED / "data" / "alzheimer" / "images"
    table["image"] = [str(images / name) for name in table["file"]]
    table["label"] = np.where(table["class"] == "Non_Demented", "healthy", "demented")
    table = table.rename(columns={"subject": "patient"})
    own = table.groupby("patient")
    place, count = own.cumcount(), own["image"].transform("size")
    kept = table[place % (count // SLICES).clip(lower=1) == 0]
    kept[["image", "label", "patient"]].to_csv(folder / "slices.csv", index=False)
    return {
        "source": "slices.csv",
        "patients": {"column": "patient"},
        "classes": ["healthy", "demented"],
        "test": {"share": 1 / 3},
    }


SETS = {"X-rays": (write_x_rays, 32), "slices": (write_slices, 48)}


def experiment_of(name: str, seed: int, trials: int, folder: Path) -> Experiment:
    """Write a set's images, and describe its experiment."""
    write, size = SETS[name]
    content: dict[str, Any] = {
        "name": f"{name}-{seed}",
        "seed": seed,
        "data": {**write(folder, seed), "folds": FOLDS},
        "recipes": {"tuned": {**RECIPE, "size": size}},
        "search": {"trials": trials},
        "cluster": {"engine": "workers", "workers": CORES, "device": "cpu"},
    }
    return parse_experiment(content, folder, "benchmarks/sweep.py")


def run_round(name: str, seed: int, trials: int, folder: Path) -> Round:
    """Search in all ways, or read what was found before."""
    memory = folder / "round.json"
    if memory.is_file():
        return Round(**read_json(memory))
    folder.mkdir(parents=True, exist_ok=True)
    experiment = experiment_of(name, seed, trials, folder)
    tuned, waited, wall = search_ours(experiment, folder / "run")
    bench = Bench.of(experiment, folder / "run")
    folds = sum(len(fold_values(trial)) for trial in tuned.trials)
    winners = {
        "recipe": bench.recipe,
        "random": random_search(bench, folds),
        "stock": stock_search(bench, folds),
        "ours": tuned.recipe,
    }
    losses = {kind: scored(bench, recipe) for kind, recipe in winners.items()}
    found = Round(
        oof={kind: own["oof"] for kind, own in losses.items()},
        test={kind: own["test"] for kind, own in losses.items()},
        trials=len(tuned.trials),
        folds=folds,
        whole=len(tuned.trials) * FOLDS,
        waited=waited,
        wall=wall,
        trained=sum(map(fold_seconds, tuned.trials)),
    )
    write_json(memory, vars(found))
    return found


def fold_seconds(trial: FrozenTrial) -> float:
    """Add up what a trial's folds took."""
    told = trial.user_attrs.items()
    return sum(float(fold["seconds"]) for key, fold in told if key.startswith(FOLD))


def search_ours(experiment: Experiment, run: Path) -> tuple[Tuned, float, float]:
    """Run `raymed tune`; what it found, and the seconds before and after its first fold began."""
    began = time.monotonic()
    heard: list[float] = []

    def hear(said: Event) -> None:
        if isinstance(said, Training):
            heard.append(time.monotonic())

    tuned = result_of(tune_events(experiment, run), hear)
    return tuned, heard[0] - began, time.monotonic() - heard[0]


def main() -> None:
    """Go through sets and seeds; the table is written after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, three trials")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=20)
    parser.add_argument("--set", choices=SETS, action="append", help="default: both")
    parser.add_argument("--folder", type=Path, help="keep what is trained here")
    wish = parser.parse_args()
    seeds, trials = (1, 3) if wish.quick else (wish.seeds, wish.trials)
    found: dict[str, list[Round]] = {name: [] for name in wish.set or SETS}
    with tempfile.TemporaryDirectory() as scratch:
        folder = wish.folder or Path(scratch)
        os.environ["RAYMED_CACHE"] = str(folder.resolve() / "cache")
        for name in found:
            for seed in range(seeds):
                found[name].append(run_round(name, seed, trials, folder / f"{name}-{seed}"))
                done = {key: rounds for key, rounds in found.items() if rounds}
                print(table(done), flush=True)
                if not wish.quick:
                    TABLE.write_text(table(done), encoding="utf-8")


if __name__ == "__main__":
    main()
