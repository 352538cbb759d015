"""How long the audit takes, and how much memory: real images, and very many thumbnails.

    uv run python benchmarks/audit.py [--samples 200000]

First the 6,400 slices of the Alzheimer set, if it lies at ../shared/data or $RAYMED_TEST_DATA;
then synthetic thumbnails, a twentieth of them copies that were made brighter and shifted by a
pixel. Each set is searched in a process of its own, so that its peak memory is its own. Processor
seconds are told too: they count no time that other work took. The slices are opened and measured as
well, and `raymed check configs/alzheimer.yaml` is run whole, with an empty cache.
"""

import argparse
import multiprocessing
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from raymed.data.audit.hidden import find_groups
from raymed.data.images import inspect_images

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("RAYMED_TEST_DATA", ROOT.parent / "shared" / "data"))
SIDE = 64
COPIES = 20  # one sample of so many


def slices() -> tuple[np.ndarray, np.ndarray]:
    """Read the Alzheimer slices and whose they are."""
    folder = DATA / "alzheimer"
    people = pd.read_csv(folder / "subjects_recovered.csv")
    opened = (Image.open(folder / "images" / file) for file in people["file"])
    pictures = [np.asarray(image.convert("L").resize((SIDE, SIDE))) for image in opened]
    return np.stack(pictures), people["subject"].astype("category").cat.codes.to_numpy()


def textures(samples: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw so many textures, the last of them copies of the first."""
    rng = np.random.default_rng(0)
    axis = np.fft.fftfreq(SIDE)
    frequency = np.hypot(axis[:, None], axis[: SIDE // 2 + 1])
    frequency[0, 0] = 1
    own = samples - samples // COPIES
    pictures = np.empty((samples, SIDE, SIDE), dtype=np.uint8)
    for start in range(0, own, 1000):
        white = np.fft.rfft2(rng.normal(size=(min(1000, own - start), SIDE, SIDE)))
        drawn = np.fft.irfft2(white * frequency**-1.5)
        drawn *= 45 / drawn.std((1, 2), keepdims=True)
        pictures[start : start + len(drawn)] = np.clip(128 + drawn, 0, 255)
    copied = np.arange(samples - own)
    pictures[own:] = np.roll(pictures[copied], 1, axis=2) * 0.9
    return pictures, np.concatenate([np.arange(own), copied])


def measure(answer: Connection, samples: int | None) -> None:
    """Search one set, and send what came of it."""
    pictures, truth = slices() if samples is None else textures(samples)
    started, worked = time.perf_counter(), time.process_time()
    found = find_groups(pictures)
    seconds, work = time.perf_counter() - started, time.process_time() - worked
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    agreement = adjusted_rand_score(truth, found.group)
    answer.send((len(pictures), seconds, work, peak, found.found, agreement))


def open_and_look(answer: Connection) -> None:
    """Open and measure every slice, and send how long that took."""
    files = sorted(map(str, (DATA / "alzheimer" / "images").glob("*/*.jpg")))
    started, worked = time.perf_counter(), time.process_time()
    seen = [found.appearance for found in inspect_images(files, look=True)]
    assert None not in seen
    answer.send((len(files), time.perf_counter() - started, time.process_time() - worked))


def check() -> tuple[float, float]:
    """Run `raymed check` as a user does; give its seconds, and those of a processor."""
    with tempfile.TemporaryDirectory() as cache:
        started, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(
            [sys.executable, "-m", "raymed.cli", "check", str(ROOT / "configs/alzheimer.yaml")],
            env={**os.environ, "RAYMED_CACHE": cache},
            stdout=subprocess.DEVNULL,
            check=True,
        )
        seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    return seconds, sum(after[:2]) - sum(before[:2])


def answer_of(work: Callable[..., None], *arguments: object) -> tuple:
    """Do some work in a process of its own; give what it sends."""
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(sender, *arguments))
    process.start()
    found: tuple = receiver.recv()
    process.join()
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--samples", type=int, default=200_000)
    samples = parser.parse_args().samples
    sets = {"textures": samples}
    if (DATA / "alzheimer").is_dir():
        sets = {"Alzheimer slices": None, **sets}
    print(f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}\n")
    print("| set | images | seconds | processor s | peak GiB | groups | adjusted Rand index |")
    print("|---|---|---|---|---|---|---|")
    if None in sets.values():
        size, seconds, work = answer_of(open_and_look)
        whole, all_work = check()
        print(f"| slices, `raymed check` | {size:,} | {whole:.0f} | {all_work:.0f} | | | |")
        print(f"| slices, opened and measured | {size:,} | {seconds:.0f} | {work:.0f} | | | |")
    for name, count in sets.items():
        size, seconds, work, peak, groups, agreement = answer_of(measure, count)
        print(
            f"| {name}, searched | {size:,} | {seconds:.0f} | {work:.0f} | {peak:.1f} | {groups} | "
            f"{agreement:.4f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
