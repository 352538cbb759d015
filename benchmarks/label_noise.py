"""Accuracy against cost for SAM and its variants, on clean labels and with wrong ones.

    uv run python benchmarks/label_noise.py          # over an hour, on one core
    uv run python benchmarks/label_noise.py --quick  # a minute; its figures mean nothing

Tasks: scikit-learn's digits with a small MLP, and PneumoniaMNIST (28 px; its official training part
to train, its official test part to test) with a small CNN. Of the training labels 0, 20 or 40 %
are drawn anew among the other classes. Every way trains on the same rows, in the same order, from
the same first weights. Its rho (for AdamW stopped early: its number of epochs) is chosen on inner
folds of the noisy training rows; then it is trained on all of them and tested once. Cost is the
CPU seconds of that training over those of AdamW on the same rows, one after the other in one
process with one thread. Runs are kept as they end, and the same call goes on where it was stopped.
Writes `label_noise.md`.
"""

import argparse
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from statistics import mean
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import StratifiedKFold, train_test_split
from torch import nn
from torch.nn import functional

from raymed.config import Optimizer, Phase, Sam
from raymed.optim import build_optimizer, rate_factor, sam_step

TABLE = Path(__file__).with_suffix(".md")
DATA = Path(os.environ.get("RAYMED_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
Floats = npt.NDArray[np.float32]
Labels = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Task:
    """A data set with a model for it."""

    name: str
    train: tuple[Floats, Labels]
    test: tuple[Floats, Labels]
    model: Callable[[], nn.Module]
    epochs: int
    batch: int


@dataclass(frozen=True)
class Way:
    """A way to train, with what is searched on inner folds."""

    name: str
    settings: dict[str, Any] | None = None
    rhos: tuple[float, ...] = ()
    early: tuple[float, ...] = ()  # shares of the epochs to stop after

    def choices(self) -> list[tuple[Sam | None, float]]:
        """List what can be chosen: SAM's settings, and the share of the epochs."""
        if self.settings is None:
            return [(None, share) for share in self.early or (1.0,)]
        return [(Sam(**{**self.settings, "rho": rho}), 1.0) for rho in self.rhos]


SMALL = (0.05, 0.2, 0.8)
WAYS = (
    Way("AdamW"),
    Way("AdamW, stopped early", early=(0.05, 0.1, 0.2, 0.5, 1.0)),
    Way("SAM", {}, SMALL),
    Way("ASAM", {"variant": "asam"}, (0.5, 1.0, 2.0)),
    Way("LookSAM, k 5", {"variant": "looksam"}, SMALL),
    Way("MSAM", {"variant": "msam"}, (0.3, 1.0, 3.0)),
    Way("SAM, climb on a quarter of the batch", {"part": 0.25}, SMALL),
    Way("SAM in the last quarter", {"last": 0.25}, SMALL),
    Way("SAM on a quarter of the batch, last half", {"part": 0.25, "last": 0.5}, SMALL),
)


def digits() -> Task:
    """1,797 digits of 8 x 8 pixels; two thirds to train."""
    pixels, labels = load_digits(return_X_y=True)
    split = train_test_split(
        (pixels / 16).astype(np.float32), labels.astype(np.int64), train_size=2 / 3,
        stratify=labels, random_state=0,
    )  # fmt: skip
    model = lambda: nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 10))  # noqa: E731
    return Task("digits", (split[0], split[2]), (split[1], split[3]), model, 60, 32)


def pneumonia() -> Task:
    """1,500 of the official training images, in their class balance, and all 624 of the test."""
    with np.load(DATA / "pneumoniamnist.npz") as file:
        parts = {
            part: (
                (file[f"{part}_images"] / 255).astype(np.float32)[:, None],
                file[f"{part}_labels"],
            )
            for part in ("train", "test")
        }
    images, labels = parts["train"][0], parts["train"][1].ravel().astype(np.int64)
    rows, _ = train_test_split(
        np.arange(len(labels)), train_size=1500, stratify=labels, random_state=0
    )
    test = (parts["test"][0], parts["test"][1].ravel().astype(np.int64))
    return Task("PneumoniaMNIST", (images[rows], labels[rows]), test, small_cnn, 12, 32)


def small_cnn() -> nn.Module:
    """Three convolutions with BatchNorm over 28 x 28 grey pixels."""
    layers: list[nn.Module] = []
    for inner, outer in ((1, 16), (16, 32), (32, 64)):
        layers += [nn.Conv2d(inner, outer, 3, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 2))


def flipped(labels: Labels, share: float, classes: int, seed: int) -> Labels:
    """Draw that share of the labels anew, each among the other classes."""
    rng = np.random.default_rng([seed, 7])
    wrong = rng.choice(len(labels), round(share * len(labels)), replace=False)
    noisy = labels.copy()
    noisy[wrong] = (noisy[wrong] + rng.integers(1, classes, len(wrong))) % classes
    return noisy


def train(
    task: Task, data: tuple[Floats, Labels], sam: Sam | None, share: float, seed: int
) -> Iterator[nn.Module]:
    """Train, a step at a time; gives the model after every step, the last time for good."""
    torch.manual_seed(seed)
    model, phase = task.model(), Phase(epochs=task.epochs, lr=2e-3)
    names = [name for name, _ in model.named_parameters()]
    optimizer = build_optimizer(model, [names], phase, Optimizer(clip=None), sam)
    images, labels = torch.from_numpy(data[0]), torch.from_numpy(data[1])
    batches = len(labels) // task.batch
    steps, rng = task.epochs * batches, np.random.default_rng([seed, 1])
    for step in range(round(share * steps)):
        if step % batches == 0:
            order = rng.permutation(len(labels))
        rows = torch.from_numpy(order[(step % batches) * task.batch :][: task.batch])
        for group in optimizer.param_groups:
            group["lr"] = group["base_lr"] * rate_factor(phase, step, steps)
        take(model, optimizer, sam, images[rows], labels[rows], step / steps)
        yield model


def take(
    model: nn.Module,
    optimizer: Any,
    sam: Sam | None,
    images: torch.Tensor,
    labels: torch.Tensor,
    done: float,
) -> None:
    """Take one step."""
    model.train()

    def loss(most: int | None = None) -> torch.Tensor:
        return functional.cross_entropy(model(images[:most]), labels[:most])

    if sam is None:
        optimizer.zero_grad()
        loss().backward()
        optimizer.step()
        return
    for group in optimizer.param_groups:
        group["rho"] = sam.rho if done >= 1 - sam.last else 0.0
    part = round(sam.part * len(labels))
    sam_step(model, optimizer, loss, climb_fn=(lambda: loss(part)) if sam.part < 1 else None)


def accuracy(model: nn.Module, data: tuple[Floats, Labels]) -> float:
    """Return the balanced accuracy, in percent."""
    model.eval()
    with torch.inference_mode():
        said = model(torch.from_numpy(data[0])).argmax(1).numpy()
    return 100 * float(balanced_accuracy_score(data[1], said))


def fit(task: Task, data: tuple[Floats, Labels], choice: Any, seed: int) -> tuple[nn.Module, float]:
    """Train to the end; returns the model and the seconds it took."""
    begun = time.process_time()
    *_, model = train(task, data, *choice, seed)
    return model, time.process_time() - begun


def run(task: Task, way: Way, noise: float, seed: int, folds: int) -> dict[str, Any]:
    """Choose on inner folds of the noisy rows, train on all of them, test once."""
    images, clean = task.train
    noisy = flipped(clean, noise, int(clean.max()) + 1, seed)
    choices = way.choices()
    scores = []
    if len(choices) > 1:
        inner = list(StratifiedKFold(folds, shuffle=True, random_state=seed).split(images, noisy))
        for choice in choices:
            scores.append(
                mean(
                    accuracy(
                        fit(task, (images[a], noisy[a]), choice, seed)[0], (images[b], noisy[b])
                    )
                    for a, b in inner
                )
            )
    chosen = choices[int(np.argmax(scores)) if scores else 0]
    model, seconds = fit(task, (images, noisy), chosen, seed)
    sam, share = chosen
    told = f"rho {sam.rho:g}" if sam is not None else f"{share:g} of the epochs"
    return {"accuracy": accuracy(model, task.test), "seconds": seconds, "chosen": told}


def table(found: dict[str, dict[str, Any]], tasks: list[Task], noises: Any, seeds: Any) -> str:
    """Write what there is as Markdown: mean and range of the test accuracy, and the cost."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, torch {torch.__version__.split('+')[0]}, one thread, "
        f"seeds {', '.join(map(str, seeds))}; balanced accuracy on the test part in percent, mean "
        "[least, most] over seeds; cost: CPU seconds of the final training over AdamW's.",
    ]
    for task in tasks:
        lines += ["", f"**{task.name}**", ""]
        lines.append("| way | " + " | ".join(f"{n:.0%} wrong" for n in noises) + " | cost |")
        lines.append("|---" * (len(noises) + 2) + "|")
        for way in WAYS:
            cells = []
            for noise in noises:
                rows = [found.get(key(task, way, noise, seed)) for seed in seeds]
                done = [row["accuracy"] for row in rows if row is not None]
                text = f"{mean(done):.1f} [{min(done):.1f}, {max(done):.1f}]" if done else "–"
                cells.append(text)
            cost = cost_of(found, task, way, noises, seeds)
            lines.append(f"| {way.name} | {' | '.join(cells)} | {cost} |")
    return "\n".join(lines) + "\n"


def cost_of(found: dict[str, Any], task: Task, way: Way, noises: Any, seeds: Any) -> str:
    """Return the mean ratio of seconds to AdamW's, over the runs that have both."""
    ratios = []
    for noise, seed in product(noises, seeds):
        own, plain = (found.get(key(task, w, noise, seed)) for w in (way, WAYS[0]))
        if own is not None and plain is not None:
            ratios.append(own["seconds"] / plain["seconds"])
    return f"{mean(ratios):.2f}" if ratios else "–"


def key(task: Task, way: Way, noise: float, seed: int) -> str:
    """Name one run."""
    return f"{task.name}|{way.name}|{noise}|{seed}"


def main() -> None:
    """Run what is not there yet, ways innermost, and write the table after each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", nargs="+", default=["digits", "pneumonia"])
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--kept", type=Path, default=Path("runs/label_noise.json"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    tasks = [{"digits": digits, "pneumonia": pneumonia}[name]() for name in options.tasks]
    noises, seeds, folds = (0.0, 0.2, 0.4), (0, 1, 2), 3
    if options.quick:
        tasks = [Task(**{**vars(task), "epochs": 2}) for task in tasks]
        noises, seeds, folds = (0.4,), (0,), 2
    kept = options.kept
    found = json.loads(kept.read_text()) if kept.exists() and not options.quick else {}
    for task in tasks:  # what torch sets up once is nobody's cost
        fit(task, task.train, (Sam(), 0.1), 0)
    for task, seed, noise, way in product(tasks, seeds, noises, WAYS):
        name = key(task, way, noise, seed)
        if name in found:
            continue
        found[name] = run(task, way, noise, seed, folds)
        print(name, found[name], flush=True)
        if not options.quick:
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(found))
            TABLE.write_text(table(found, tasks, noises, seeds), encoding="utf-8")
    print(table(found, tasks, noises, seeds))


if __name__ == "__main__":
    main()
