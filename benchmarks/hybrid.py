"""Does a Transformer over the CNN's map beat the plain CNN, for the same seconds of training?

    uv run python benchmarks/hybrid.py            # --minutes of work, and the starts of four builds
    uv run python benchmarks/hybrid.py --quick    # five minutes; its figures mean nothing

The Alzheimer slices of 200 people, 96 px, eight slices a person and epoch, patient-grouped folds;
members: `hybrid/mobilenetv2_100` and `mobilenetv2_100` from the same pretrained file, and a
ViT-tiny from scratch, for want of its weights. A pilot measures each member's images/s; then all
get as many epochs as fit into the same seconds a fold. Rates were not searched for any of them;
the CNN learns at 1e-4 alone as it does in the hybrid.
Each seed draws folds, first weights and batches anew. Writes `hybrid.md` beside itself; with
`--folder` the builds stay there, and the same call continues one that was stopped.
"""

import argparse
import os
import platform
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
from scipy.special import softmax

import raymed
from raymed.config import parse_experiment
from raymed.evaluation import paired_difference, to_patient_level
from raymed.files import read_json, write_json
from raymed.runs import RunFolder

CORES = len(os.sched_getaffinity(0))
TABLE = Path(__file__).with_suffix(".md")
SHARED = Path(__file__).resolve().parents[2] / "shared"
CLASSES = ["Non_Demented", "Very_Mild_Demented", "Mild_Demented", "Moderate_Demented"]
SLICES, SHARE_OF_TRAINING = 8, 0.8  # the rest: start-up, prediction, scoring
WARM = {"train": "all", "warmup": 0.1, "ratio": 0.1}
MEMBERS: dict[str, dict[str, Any]] = {
    "hybrid": {
        "model": "hybrid/mobilenetv2_100",
        "phases": [{"train": "head", "epochs": 1, "lr": 1e-3}, {**WARM, "lr": 1e-3}],
    },
    "cnn": {
        "model": "mobilenetv2_100",
        "phases": [{"train": "head", "epochs": 1, "lr": 3e-3}, {**WARM, "lr": 1e-4}],
    },
    "vit-scratch": {
        "model": "vit_tiny_patch16_224",
        "pretrained": "none",
        "phases": [{"train": "all", "warmup": 0.1, "lr": 5e-4}],
    },
}
"""The last phase's epochs are what the pilot decides."""


@dataclass(frozen=True)
class Plan:
    """How much is done: seeds, folds, people (None: all) and minutes."""

    seeds: int
    folds: int
    people: int | None
    minutes: float

    @property
    def seconds_a_fold(self) -> float:
        """What each fold of each member may train for."""
        units = self.seeds * self.folds * len(MEMBERS)
        return self.minutes * 60 * CORES * SHARE_OF_TRAINING / units


def write_manifest(folder: Path, people: int | None) -> int:
    """Write the slices and their people (at most `people` of a class); return how many people."""
    table = pd.read_csv(SHARED / "data" / "alzheimer" / "subjects_recovered.csv")
    images = SHARED / "data" / "alzheimer" / "images"
    table = table.rename(columns={"class": "label", "subject": "patient"})
    table["image"] = [str(images / name) for name in table["file"]]
    if people is not None:
        first = table.drop_duplicates("patient").groupby("label").head(people)
        table = table[table["patient"].isin(first["patient"])]
    table[["image", "label", "patient"]].to_csv(folder / "manifest.csv", index=False)
    return int(table["patient"].nunique())


def build(folder: Path, name: str, seed: int, folds: int, epochs: dict[str, int]) -> raymed.Built:
    """Build the members with `epochs` in their last phases, in a run folder of that name."""
    recipes = {}
    for member, recipe in MEMBERS.items():
        *first, last = recipe["phases"]
        recipes[member] = {**recipe, "phases": [*first, {**last, "epochs": epochs[member]}]}
    content: dict[str, Any] = {
        "name": name,
        "seed": seed,
        "data": {
            "source": "manifest.csv",
            "patients": {"column": "patient"},
            "classes": CLASSES,
            "ordinal": True,
            "folds": folds,
        },
        "defaults": {
            "pretrained": {"file": str(SHARED / "weights" / "mobilenetv2_100_features.pth")},
            "size": 96,
            "batch_size": 32,
            "samples_per_patient": SLICES,
        },
        "recipes": recipes,
        "ensemble": {"meta_learners": ["mean"], "minimum_members": len(MEMBERS)},
        "cluster": {"engine": "workers", "workers": CORES, "device": "cpu"},
    }
    return raymed.build(parse_experiment(content, folder, "benchmarks/hybrid.py"), folder / name)


def member_folder(built: raymed.Built, member: str) -> Any:
    """Find a member's folder by its name."""
    rows = built.metrics["rows"]
    (own,) = (row["id"] for row in rows if row["kind"] == "member" and row["name"] == member)
    return RunFolder.existing(built.run.path).member(own)


def pilot(folder: Path, plan: Plan, people: int) -> dict[str, int]:
    """Measure every member's images/s; return the epochs that fit into the seconds of a fold."""
    memory = folder / "epochs.json"
    if memory.is_file():
        return dict(read_json(memory))
    built = build(folder, "pilot", 99, 2, dict.fromkeys(MEMBERS, 1))
    images, epochs = people * SLICES * (plan.folds - 1) / plan.folds, {}
    for member in MEMBERS:
        attempt = member_folder(built, member).completed_fold(0)
        told = pd.read_parquet(attempt / "epochs.parquet")
        seconds = images / told["images_per_second"].to_numpy()
        left = plan.seconds_a_fold - seconds[:-1].sum()
        epochs[member] = max(1, round(left / seconds[-1]))
    write_json(memory, epochs)
    return epochs


def patient_losses(difference: npt.NDArray[np.float64], draws: int = 1000) -> list[float]:
    """Give the mean over people [people] with its 95 % interval, from resampling the people."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(0, len(difference), (draws, len(difference)))
    return [difference.mean(), *np.quantile(difference[drawn].mean(axis=1), [0.025, 0.975])]


def out_of_fold(built: raymed.Built, member: str) -> dict[str, Any]:
    """Read a member's rows in the order of their samples: probabilities, labels, patients."""
    rows = pd.read_parquet(member_folder(built, member).path / "oof.parquet")
    rows = rows.sort_values("sample_id", ignore_index=True)
    values = softmax(np.stack(rows["logits"].to_list()).astype(np.float64), axis=1)
    return {"probabilities": values, "labels": rows["label"], "patients": rows["patient"]}


def loss_by_patient(rows: dict[str, Any]) -> npt.NDArray[np.float64]:
    """Give -ln of the true class's probability [people], averaged over a person's slices first."""
    people = to_patient_level(**rows)
    return -np.log(people.probabilities[np.arange(len(people.labels)), people.labels])


def interval(values: dict[str, float | None] | list[float]) -> str:
    """Write `value [low, high]`."""
    parts = list(values.values())[:3] if isinstance(values, dict) else values
    value, low, high = parts
    return f"{value:.3f}" + ("" if low is None or high is None else f" [{low:.3f}, {high:.3f}]")


def table(builds: list[raymed.Built], plan: Plan, epochs: dict[str, int], people: int) -> str:
    """Write the results as Markdown."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, {CORES} cores, "
        f"{platform.machine()}, no GPU; {people} people, {SLICES} slices a person and epoch, "
        f"{plan.folds} folds, 96 px, patient level, 95 % intervals from resampling people.",
        "",
        f"Epochs of the last phase, so that a fold trains about {plan.seconds_a_fold:.0f} s "
        "(measured by a pilot): " + ", ".join(f"{name} {n}" for name, n in epochs.items()) + ".",
        "",
        "| member | seed | log loss | AUROC | accuracy | seconds, all folds |",
        "|---|---|---|---|---|---|",
    ]
    for seed, built in enumerate(builds):
        for row in built.metrics["rows"]:
            if row["kind"] == "member":
                scored = row["oof"]["patient"]["metrics"]
                cells = [interval(scored[name]) for name in ("log_loss", "auroc", "accuracy")]
                seconds = f"{row['training_seconds']:.0f}"
                lines.append(f"| {' | '.join([row['name'], str(seed), *cells, seconds])} |")
    return "\n".join([*lines, "", *differences(builds, plan)]) + "\n"


def differences(builds: list[raymed.Built], plan: Plan) -> list[str]:
    """Write the paired differences of the hybrid, a seed at a time and over all seeds."""
    lines = [
        "Paired differences in log loss (negative: the hybrid is better):",
        "",
        "| against | seed | difference |",
        "|---|---|---|",
    ]
    for rival in ("cnn", "vit-scratch"):
        by_patient = []
        for seed, built in enumerate(builds):
            ours, theirs = out_of_fold(built, "hybrid"), out_of_fold(built, rival)
            found = paired_difference(
                ours["probabilities"],
                theirs["probabilities"],
                ours["labels"],
                ours["patients"],
                level="patient",
                folds=plan.folds,
            )
            lines.append(f"| {rival} | {seed} | {interval(vars(found))} |")
            by_patient.append(loss_by_patient(ours) - loss_by_patient(theirs))
        mean = np.mean(by_patient, axis=0)
        lines.append(f"| {rival} | mean of {len(builds)} | {interval(patient_losses(mean))} |")
    return lines


def main() -> None:
    """Run the pilot, then a build a seed; the table is written after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="1 seed, 2 folds, 5 people a class")
    parser.add_argument("--minutes", type=float, default=40.0, help="for all builds together")
    parser.add_argument("--folder", type=Path, help="keep the builds here")
    wish = parser.parse_args()
    plan = Plan(1, 2, 5, 1.0) if wish.quick else Plan(3, 3, None, wish.minutes)
    with tempfile.TemporaryDirectory() as scratch:
        folder = wish.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        os.environ["RAYMED_CACHE"] = str(folder / "cache")
        people = write_manifest(folder, plan.people)
        epochs = pilot(folder, plan, people)
        builds = []
        for seed in range(plan.seeds):
            builds.append(build(folder, f"seed-{seed}", seed, plan.folds, epochs))
            written = table(builds, plan, epochs, people)
            if not wish.quick:
                TABLE.write_text(written, encoding="utf-8")
            print(written, flush=True)


if __name__ == "__main__":
    main()
