"""A linear head against a cosine classifier where another scanner shows all brighter or darker.

    uv run python benchmarks/scanner_gain.py          # about a quarter of an hour on one core
    uv run python benchmarks/scanner_gain.py --quick  # a minute; its figures mean nothing

Phantoms of three sites; each site is left out once and predicted by a small ConvNeXt trained on the
two others, without augmentation of intensity, which would teach the answer. The images of the site
left out are then shown at several gains: every pixel times the gain, cut at white. Compared are
log losses by patient, over all seeds, paired. Writes `scanner_gain.md`.
"""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import softmax

from raymed.config import Recipe
from raymed.data.phantom import SITES, draw_phantoms
from raymed.data.samples import SampleColumns
from raymed.evaluation import Difference, paired_difference
from raymed.models import build_classifier
from raymed.training.inputs import Inputs
from raymed.training.loop import Trainer

TABLE = Path(__file__).with_suffix(".md")
GAINS = (0.7, 0.85, 1.0, 1.15, 1.3)
HEADS = ("linear", "cosine")
SIDE, CLASSES = 64, 4
Floats = npt.NDArray[np.float64]


def recipe_with(head: str, epochs: int) -> Recipe:
    """Give the recipe, which differs in its head alone."""
    return Recipe.model_validate(
        {
            "model": "convnext_atto",
            "pretrained": "none",
            "size": SIDE,
            "head": head,
            "augmentation": {"brightness": 0, "contrast": 0, "noise": 0},
            "phases": [{"epochs": epochs, "lr": 1e-3, "warmup": 0.1}],
        }
    )


def left_out(site: int, patients: int, seed: int) -> tuple[npt.NDArray[np.uint8], SampleColumns]:
    """Draw phantoms; fold 0 is a site, fold 1 the two others."""
    drawn = draw_phantoms(patients, slices=4, size=SIDE, seed=seed)
    ids, people, sites = (
        np.array(each, dtype=object) for each in (drawn.sample_ids, drawn.patients, drawn.sites)
    )
    fold = (sites != SITES[site]).astype(np.int16)
    labels = drawn.labels.astype(np.int64)
    return drawn.images, SampleColumns(ids, people, sites, labels, fold, CLASSES)


def predicted(head: str, epochs: int, site: int, patients: int, seed: int) -> dict[float, Floats]:
    """Train on two sites; give probabilities of the third's images at each gain."""
    images, samples = left_out(site, patients, seed)
    torch.manual_seed(seed)
    recipe = recipe_with(head, epochs)
    model = build_classifier(recipe, CLASSES)
    inputs, device = Inputs(images, torch.device("cpu")), torch.device("cpu")
    for _ in Trainer(recipe, inputs, samples, 0, seed).train(model):
        pass
    rows, found = samples.held_out_rows(0), {}
    for gain in GAINS:
        shown = np.clip(images * gain, 0, 255).astype(np.uint8)
        logits = Inputs(shown, device).predict_all(model, rows, CLASSES)
        found[gain] = softmax(logits.astype(np.float64), axis=1)
    return found


def compared(epochs: int, patients: int, seeds: int) -> dict[float, tuple[Floats, Difference]]:
    """Give, by gain, both heads' log loss and their difference, cosine less linear."""
    said: dict[tuple[str, float], list[Floats]] = {(h, g): [] for h in HEADS for g in GAINS}
    labels: list[Any] = []
    people: list[str] = []
    for seed in range(seeds):
        for site in range(len(SITES)):
            _, samples = left_out(site, patients, seed)
            rows = samples.held_out_rows(0)
            labels.append(samples.labels[rows])
            people += [f"{seed} {name}" for name in samples.patients[rows]]
            for head in HEADS:
                for gain, chances in predicted(head, epochs, site, patients, seed).items():
                    said[head, gain].append(chances)
            print(f"seed {seed}, {SITES[site]} left out", flush=True)
    truth, table = np.concatenate(labels), {}
    for gain in GAINS:
        linear, cosine = (np.concatenate(said[head, gain]) for head in HEADS)
        own = np.arange(len(truth)), truth
        losses = np.array([-np.log(each[own]).mean() for each in (linear, cosine)])
        table[gain] = (losses, paired_difference(cosine, linear, truth, people))
    return table


def main() -> None:
    """Compare, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one seed, one epoch")
    parser.add_argument("--seeds", type=int, default=3)
    wish = parser.parse_args()
    torch.set_num_threads(1)
    epochs, patients, seeds = (1, 12, 1) if wish.quick else (10, 72, wish.seeds)
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, {patients} phantoms a seed, {seeds} seeds, each site left "
        f"out once, ConvNeXt (atto) from scratch, {epochs} epochs, {SIDE} px. Log loss by image of "
        "the sites left out; the difference is cosine less linear, with a 95 % interval by patient "
        "(negative: cosine is better).",
        "",
        "| gain | linear head | cosine classifier | difference |",
        "|---|---|---|---|",
    ]
    for gain, ((linear, cosine), apart) in compared(epochs, patients, seeds).items():
        interval = f"[{apart.low:+.3f}, {apart.high:+.3f}]" if apart.low is not None else ""
        lines.append(f"| {gain:g} | {linear:.3f} | {cosine:.3f} | {apart.value:+.3f} {interval} |")
    print("\n".join(lines))
    if not wish.quick:
        TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
