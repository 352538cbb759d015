"""How fast images reach a model: raymed against torch's DataLoader and Ray Data, on real images.

    uv run python benchmarks/data.py            # about half an hour on 2 cores
    uv run python benchmarks/data.py --quick    # 128 images, one round, no table

Every way reads the same grey images, pads and scales them alike, draws the same kinds of change,
and gives float batches of 64 for a whole epoch, in a process of its own (and what that starts,
whose processor time counts too).
DataLoader and Ray Data read and decode anew each epoch, with PIL and torchvision's v2 on PIL
images, its fastest form here; raymed reads what it decoded once. Rounds interleave the ways, so
that other work on the machine weighs on all of them. Memory is the proportional set size (PSS),
the most that was seen over what the process took before, and its part that is shared memory; the
page cache, which raymed's file and the others' images lie in too, counts as far as it is mapped.

The second table gives data's share of a training step for the members of configs/alzheimer.yaml,
the third the warp alone. Writes `data.md`; fails where raymed with augmentation is slower than the
best DataLoader, without it less than 3 times as fast, or data takes over 5 % of a member's step.
"""

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import PIL
import psutil
import ray
import torch
import torchvision
from data_steps import LEAST_SHARE, data_shares, warps
from data_ways import WAYS, Epoch, decode

import raymed

TABLE = Path(__file__).with_suffix(".md")
IMAGES = Path(__file__).parents[2] / "shared/data/alzheimer/images"
COUNT, SIZES, ROUNDS = 5000, (224, 96), 3
LEAST_AUGMENTED, LEAST_PLAIN = 1.0, 3.0
Case = tuple[int, bool]
"""Side in pixels, and whether images are augmented."""


@dataclass(frozen=True)
class Measured:
    """One epoch of one way: images a second, processor seconds an image, bytes added at most."""

    speed: float
    busy: float
    pss: int
    shared: int


def memory_of(pid: int) -> tuple[int, int]:
    """Sum PSS and its shared-memory part over a process and all that it started, in bytes."""
    total = shared = 0
    for each in [pid, *_children(pid)]:
        try:
            lines = Path(f"/proc/{each}/smaps_rollup").read_text().splitlines()[1:]
        except OSError:
            continue  # ended meanwhile
        facts = {line.split(":")[0]: int(line.split()[1]) for line in lines}
        total, shared = total + facts["Pss"], shared + facts["Pss_Shmem"]
    return total * 1024, shared * 1024


def measure(process: ProcessPoolExecutor, way: str, epoch: Epoch) -> Measured:
    """Run one epoch in a way's own process, watching its memory and processor time."""
    pid = process.submit(_ready).result()
    before, most, shared, busy = memory_of(pid), 0, 0, 0.0
    begun = seconds_of(pid)
    running: Future[float] = process.submit(WAYS[way], epoch)
    while not running.done():
        pss, own = memory_of(pid)
        most, shared, busy = max(most, pss), max(shared, own), max(busy, seconds_of(pid))
        time.sleep(0.5)
    speed = running.result()
    busy = max(busy, seconds_of(pid)) - begun
    added = max(0, most - before[0]), max(0, shared - before[1])
    return Measured(speed, busy / len(epoch.files), *added)


def seconds_of(pid: int) -> float:
    """Sum the processor time of a process and of all that it started."""
    total = 0.0
    for each in [pid, *_children(pid)]:
        try:
            times = psutil.Process(each).cpu_times()
        except psutil.Error:
            continue  # ended meanwhile
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _children(pid: int) -> list[int]:
    try:
        return [child.pid for child in psutil.Process(pid).children(recursive=True)]
    except psutil.Error:
        return []


def _ready() -> int:
    torch.set_num_threads(1)
    return os.getpid()


def compare(files: Sequence[str], cases: Sequence[Case], rounds: int) -> tuple[list[str], bool]:
    """Measure every way in every case; give the table, and whether raymed is fast enough."""
    found: dict[str, dict[Case, list[Measured]]] = {way: {c: [] for c in cases} for way in WAYS}
    with tempfile.TemporaryDirectory() as scratch, ExitStack() as open_:
        own = {
            way: open_.enter_context(ProcessPoolExecutor(1, get_context("spawn"))) for way in WAYS
        }
        took = {}
        for size in dict.fromkeys(size for size, _ in cases):
            begun = time.perf_counter()
            decode(files, size, Path(scratch))
            took[size] = time.perf_counter() - begun
        for number in range(rounds):
            for case in cases:
                order = list(WAYS) if number % 2 == 0 else list(WAYS)[::-1]
                for way in order:
                    seen = measure(own[way], way, Epoch(files, *case, Path(scratch), seed=number))
                    found[way][case].append(seen)
                    print(f"round {number + 1}, {case}, {way}: {seen.speed:.0f}/s", flush=True)
    heads = [f"{size} px{', augmented' if augmented else ''}" for size, augmented in cases]
    lines = [
        "| way | " + " | ".join(heads) + " | CPU ms an image | most PSS added | of it shared |",
        "|---|" + "---|" * (len(cases) + 3),
    ]
    for way, by_case in found.items():
        speeds = [_spread([each.speed for each in by_case[case]]) for case in cases]
        every = [each for case in cases for each in by_case[case]]
        pss, shared = max(each.pss for each in every), max(each.shared for each in every)
        busy = [statistics.median(each.busy for each in by_case[case]) for case in cases]
        cells = [
            *speeds,
            " / ".join(f"{1e3 * each:.2f}" for each in busy),
            f"{pss / 1e6:.0f} MB",
            f"{shared / 1e6:.0f} MB",
        ]
        lines.append(f"| {way} | " + " | ".join(cells) + " |")
    ratios = {case: _ratios(found, case) for case in cases}
    cells = [f"{statistics.median(ratios[case]):.1f}" for case in cases]
    lines.append("| raymed / best DataLoader | " + " | ".join(cells) + " | | | |")
    once = ", ".join(f"{seconds:.0f} s at {size} px" for size, seconds in took.items())
    lines += ["", f"raymed decoded all images once before, in two threads: {once}."]
    enough = all(
        statistics.median(ratios[case]) >= (LEAST_AUGMENTED if case[1] else LEAST_PLAIN)
        for case in cases
    )
    return lines, enough


def _ratios(found: dict[str, dict[Case, list[Measured]]], case: Case) -> list[float]:
    """Divide raymed's speed by the best DataLoader's, round by round."""
    ours = [each.speed for each in found["raymed, 1 thread"][case]]
    loaders = [by_case[case] for way, by_case in found.items() if way.startswith("DataLoader")]
    best = [max(each.speed for each in round_) for round_ in zip(*loaders, strict=True)]
    return [own / other for own, other in zip(ours, best, strict=True)]


def _spread(values: Sequence[float]) -> str:
    """Give the median, and the range where there are several."""
    told = f"{statistics.median(values):,.0f}"
    return told if len(values) == 1 else f"{told} ({min(values):,.0f}–{max(values):,.0f})"


def main() -> None:
    """Measure, write the table, and fail below the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--images", type=Path, default=IMAGES)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--beside", default="", help="what else ran, for the table's head")
    asked = parser.parse_args()
    torch.set_num_threads(1)
    every = sorted(str(path) for path in asked.images.rglob("*.jpg"))
    drawn = np.random.default_rng(0).permutation(every)
    files = drawn[: 128 if asked.quick else COUNT].tolist()
    cases = [(size, augmented) for size in SIZES for augmented in (False, True)]
    speeds, enough = compare(files, cases, 1 if asked.quick else asked.rounds)
    shares, share = data_shares(5 if asked.quick else 15)
    versions = (
        f"torch {torch.__version__.split('+')[0]}, torchvision "
        f"{torchvision.__version__.split('+')[0]}, Pillow {PIL.__version__}, Ray {ray.__version__}"
    )
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, {versions}, "
        f"{os.cpu_count()} cores, no GPU{asked.beside and '; '}{asked.beside}. {len(files):,} "
        f"images of the Alzheimer set, batches of 64; images a second, median of {asked.rounds} "
        "interleaved rounds and their range.",
        *("", *speeds),
        "",
        "Data's share of a training step (loading and augmenting against the whole step; one "
        "thread, mean of steps):",
        *("", *shares),
        "",
        "The warp alone, milliseconds of one thread an image:",
        *("", *warps()),
    ]
    print("\n".join(lines))
    if not asked.quick:
        TABLE.write_text("\n".join(lines) + "\n", encoding="utf-8")
    if not enough or share > LEAST_SHARE:
        raise SystemExit("below the limits: see the first lines of benchmarks/data.py")


if __name__ == "__main__":
    main()
