"""What each technique gains on three small sets, by itself and in the stack.

    uv run python benchmarks/techniques.py            # three sets, three seeds: about an hour
    uv run python benchmarks/techniques.py --quick    # some minutes; its figures mean nothing
    uv run python benchmarks/techniques.py --sets sites    # some of them; prints, writes nothing

`raymed compare` of the eight techniques and the stack with and without each, out of fold, on

- slices: three slices of each of the 200 Alzheimer people, 48 px, folds by patient, three stages in
  order (two people are moderately demented, too few for one of their own); MobileNetV2 from
  pretrained weights;
- X-rays: 400 training X-rays of PneumoniaMNIST, 32 px, no patients declared; the same backbone;
- sites: 72 phantom patients at three sites, three slices each, 64 px, four stages; a fold is a
  site, so every model, and every stack, predicts a site that it never saw; ConvNeXt-Atto from
  scratch.

Options stand at their defaults, but for the evidential loss, which anneals as long as the schedule.
Nothing was searched. Each seed draws folds (of the sites: the same), first weights and batches
anew; a patient's rows of all seeds are resampled together. Writes `techniques.md` beside itself,
after each set; with `--folder` what was trained stays there, and the same call continues.
"""

import argparse
import os
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from techniques_table import CORES, Found, table

from raymed.config import USES, Experiment, parse_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.pipeline.compare import compare

TABLE = Path(__file__).with_suffix(".md")
SHARED = Path(__file__).resolve().parents[2] / "shared"
STAGES_OF = {
    "Non_Demented": "none",
    "Very_Mild_Demented": "very mild",
    "Mild_Demented": "mild or worse",
    "Moderate_Demented": "mild or worse",  # two people only
}


class Size(NamedTuple):
    """How much is trained."""

    seeds: int
    slices: int  # of each Alzheimer person
    x_rays: int
    phantoms: int  # patients
    epochs: tuple[int, int]  # of all layers: fine-tuned, from scratch
    folds: int


WHOLE = Size(seeds=3, slices=3, x_rays=400, phantoms=72, epochs=(4, 16), folds=4)
QUICK = Size(seeds=1, slices=1, x_rays=120, phantoms=24, epochs=(1, 2), folds=2)


def write_slices(folder: Path, size: Size) -> dict[str, Any]:
    """List some slices of each person, evenly spread."""
    people = pd.read_csv(SHARED / "data" / "alzheimer" / "subjects_recovered.csv")
    images = SHARED / "data" / "alzheimer" / "images"
    own = people.groupby("subject")
    place, count = own.cumcount(), own["file"].transform("size")
    kept = people[place % (count // size.slices).clip(lower=1) == 0]
    listed = {
        "image": [str(images / name) for name in kept["file"]],
        "label": kept["class"].map(STAGES_OF),
        "patient": kept["subject"],
    }
    pd.DataFrame(listed).to_csv(folder / "slices.csv", index=False)
    patients = {"column": "patient"}
    about = {"source": "slices.csv", "patients": patients, "folds": size.folds}
    return {**about, "classes": [*dict.fromkeys(STAGES_OF.values())], "ordinal": True}


def write_x_rays(folder: Path, size: Size) -> dict[str, Any]:
    """Write some of the training X-rays."""
    whole = np.load(SHARED / "data" / "pneumoniamnist.npz")
    count = len(whole["train_images"])
    drawn = np.sort(np.random.default_rng(0).permutation(count)[: size.x_rays])
    parts = {name: whole[name][drawn] for name in ("train_images", "train_labels")}
    np.savez(folder / "x-rays.npz", **parts)
    return {
        "source": "x-rays.npz",
        "patients": "none",
        "acknowledge": ["patients-not-declared"],
        "classes": ["normal", "pneumonia"],
        "folds": size.folds,
    }


def write_sites(folder: Path, size: Size) -> dict[str, Any]:
    """Draw phantoms; a fold is a site."""
    drawn = pd.read_csv(write_phantoms(folder / "phantoms", size.phantoms, slices=3, size=64))
    drawn["fold"] = drawn["site"].astype("category").cat.codes
    drawn.to_csv(folder / "phantoms" / "sites.csv", index=False)
    return {
        "source": "phantoms/sites.csv",
        "patients": {"column": "patient"},
        "classes": list(STAGES),
        "ordinal": True,
        "folds": {"column": "fold"},
    }


SETS = {
    "slices": (write_slices, "mobilenetv2_100", 48),
    "X-rays": (write_x_rays, "mobilenetv2_100", 32),
    "sites": (write_sites, "convnext_atto", 64),
}


def recipe_of(model: str, pixels: int, size: Size) -> dict[str, Any]:
    """Describe the recipe that techniques are switched in."""
    tuned, scratch = size.epochs
    if model != "mobilenetv2_100":
        phases = [{"epochs": scratch, "lr": 1e-3, "warmup": 0.1}]
        return {"model": model, "pretrained": "none", "size": pixels, "phases": phases}
    weights = SHARED / "weights" / "mobilenetv2_100_features.pth"
    phases = [
        {"train": "head", "epochs": 1, "lr": 3e-3},
        {"train": "all", "epochs": tuned, "lr": 1e-4, "ratio": 0.1, "warmup": 0.1},
    ]
    return {"model": model, "pretrained": {"file": str(weights)}, "size": pixels, "phases": phases}


def experiment_of(name: str, size: Size, folder: Path) -> Experiment:
    """Write a set's images, and describe its comparison."""
    write, model, pixels = SETS[name]
    plain = {**recipe_of(model, pixels, size), "batch_size": 32}
    epochs = sum(phase["epochs"] for phase in plain["phases"])
    content: dict[str, Any] = {
        "name": f"techniques-{name}",
        "data": write(folder, size),
        "recipes": {
            "plain": plain,
            "evidential": {**plain, "evidential": {"anneal": epochs}},
        },
        "ensemble": {"meta_learners": ["mean", "greedy", "logistic"]},
        "compare": {"techniques": [*USES, "ensemble"], "seeds": size.seeds},
        "cluster": {"engine": "workers", "workers": CORES, "device": "cpu"},
    }
    return parse_experiment(content, folder, "benchmarks/techniques.py")


def run_set(name: str, size: Size, folder: Path) -> Found:
    """Compare on one set, or read what was found before."""
    folder.mkdir(parents=True, exist_ok=True)
    began = time.monotonic()
    found = compare(experiment_of(name, size, folder), folder / "run", sharpness=False)
    return Found(found.comparison, found.failed, time.monotonic() - began)


def main() -> None:
    """Go through the sets; the table is written after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, fewer images and epochs")
    parser.add_argument("--seeds", type=int, default=WHOLE.seeds)
    parser.add_argument("--sets", nargs="+", choices=list(SETS), default=list(SETS))
    parser.add_argument("--folder", type=Path, help="keep what is trained here")
    wish = parser.parse_args()
    size = QUICK if wish.quick else WHOLE._replace(seeds=wish.seeds)
    found: dict[str, Found] = {}
    with tempfile.TemporaryDirectory() as scratch:
        folder = (wish.folder or Path(scratch)).resolve()
        os.environ["RAYMED_CACHE"] = str(folder / "cache")
        for name in wish.sets:
            found[name] = run_set(name, size, folder / name)
            print(table(found), flush=True)
            if not wish.quick and wish.sets == list(SETS):
                TABLE.write_text(table(found), encoding="utf-8")


if __name__ == "__main__":
    main()
