"""The table of `sweep.py`: what a round of searches found, and what that is worth."""

import os
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt

import raymed

CORES = len(os.sched_getaffinity(0))
KINDS = ("recipe", "random", "stock", "ours")


@dataclass(frozen=True)
class Round:
    """All kinds of search on one set with one seed: who won, and what that is worth.

    `oof` and `test` hold the winners' losses by patient, `folds` what ours trained of the `whole`
    folds of its trials, `waited` the seconds before its first fold, `wall` those after it, and
    `trained` the sum of its folds' seconds.
    """

    oof: dict[str, list[float]]
    test: dict[str, list[float]]
    trials: int
    folds: int
    whole: int
    waited: float
    wall: float
    trained: float

    @property
    def ratio(self) -> float:
        """Wall time over the least that it can be on these cores."""
        return self.wall / (self.trained / CORES)


def interval(values: npt.NDArray[np.float64], draws: int = 2000) -> tuple[float, float, float]:
    """Give the mean over patients [patients] with its 95 % interval, from resampling them."""
    rng = np.random.default_rng(0)
    means = values[rng.integers(0, len(values), (draws, len(values)))].mean(axis=1)
    low, high = np.quantile(means, [0.025, 0.975])
    return float(values.mean()), float(low), float(high)


def difference(rounds: list[Round], split: str, rival: str) -> tuple[float, float, float]:
    """Compare ours with a rival over all seeds; every seed's patients are resampled by themselves.

    Seeds share patients, so that the interval is a little too narrow.
    """
    pairs = [np.subtract(getattr(r, split)["ours"], getattr(r, split)[rival]) for r in rounds]
    means = [pair.mean() for pair in pairs]
    rng = np.random.default_rng(0)
    draws = [
        np.mean([pair[rng.integers(0, len(pair), len(pair))].mean() for pair in pairs])
        for _ in range(2000)
    ]
    low, high = np.quantile(draws, [0.025, 0.975])
    return float(np.mean(means)), float(low), float(high)


def written(values: tuple[float, float, float]) -> str:
    """Write `value [low, high]`."""
    return f"{values[0]:+.3f} [{values[1]:+.3f}, {values[2]:+.3f}]"


def table(found: Mapping[str, list[Round]]) -> str:
    """Write the results as Markdown."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, {CORES} cores, "
        f"{platform.machine()}, no GPU. Log loss by patient of each search's winner, mean over "
        "seeds: out of fold / on the test split.",
        "",
        "| set | seeds | recipe as it stands | random search | OptunaSearch + ASHA | ours |",
        "|---|---|---|---|---|---|",
    ]
    for name, rounds in found.items():
        cells = []
        for kind in KINDS:
            oof, test = (
                np.mean([np.mean(getattr(r, split)[kind]) for r in rounds])
                for split in ("oof", "test")
            )
            cells.append(f"{oof:.3f} / {test:.3f}")
        lines.append(f"| {name} | {len(rounds)} | {' | '.join(cells)} |")
    lines += [
        "",
        "Ours less the other, paired by patient, with 95 % intervals (negative: ours is better):",
        "",
        "| set | split | the recipe | random search | OptunaSearch + ASHA |",
        "|---|---|---|---|---|",
    ]
    for name, rounds in found.items():
        for split, word in (("oof", "out of fold"), ("test", "test")):
            cells = [written(difference(rounds, split, rival)) for rival in KINDS[:3]]
            lines.append(f"| {name} | {word} | {' | '.join(cells)} |")
    return "\n".join([*lines, "", *worse_lines(found), "", *cost_lines(found)]) + "\n"


def worse_lines(found: Mapping[str, list[Round]]) -> list[str]:
    """Count how often a winner is worse on the test split than the recipe as it stands."""
    lines = [
        "How often the winner is worse than the recipe on the test split, and how often where the "
        "recipe stands unless its gain holds on paired folds (a 95 % interval below zero):",
        "",
        "| set | random search | OptunaSearch + ASHA | ours | ours, by that rule |",
        "|---|---|---|---|---|",
    ]
    for name, rounds in found.items():
        cells = []
        for kind in KINDS[1:]:
            worse = sum(np.mean(r.test[kind]) > np.mean(r.test["recipe"]) for r in rounds)
            cells.append(f"{worse} of {len(rounds)}")
        held = [r for r in rounds if interval(np.subtract(r.oof["ours"], r.oof["recipe"]))[2] < 0]
        worse = sum(np.mean(r.test["ours"]) > np.mean(r.test["recipe"]) for r in held)
        cells.append(f"{worse} of {len(rounds)}; the gain held in {len(held)}")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return lines


def cost_lines(found: Mapping[str, list[Round]]) -> list[str]:
    """Tell what ours trained, and its wall time over the least that it can be."""
    lines = [
        "What ours cost, by seed: seconds before its first fold, seconds after, and the least that "
        f"these can be, the folds' seconds over {CORES} cores:",
        "",
        "| set | seed | trials | folds of all | s before | s after | at least | ratio |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, rounds in found.items():
        for seed, each in enumerate(rounds):
            cells = [
                f"{name} | {seed} | {each.trials} | {each.folds} of {each.whole}",
                f"{each.waited:.0f} | {each.wall:.0f} | {each.trained / CORES:.0f}",
                f"{each.ratio:.2f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return lines
