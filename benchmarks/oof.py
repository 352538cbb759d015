"""What the OOF table costs at size: 20 members, a million samples, ten classes.

    uv run python benchmarks/oof.py            # minutes on 2 cores; 4 GB of disk for a while
    uv run python benchmarks/oof.py --quick    # a fiftieth of the samples; writes no table

First each member's Parquet file is made as a build leaves it, in the order of folds. Then a fresh
process reads manifest and folds, joins the members into `oof.arrow`, and fits mean, greedy and
logistic, each once and on all rows, calibration included. Memory is the process's peak so far, as
Linux counts it. Writes `oof.md`; fails above 3 minutes from the join on, or above 4 GB.
"""

import argparse
import os
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import sklearn

import raymed
from raymed.data.folds import Folds
from raymed.data.intake.manifest import Manifest
from raymed.data.predictions import SPLIT, prediction_schema, prediction_table
from raymed.data.samples import SampleColumns
from raymed.ensemble import fit_meta_learner, join_members

TABLE = Path(__file__).with_suffix(".md")
SAMPLES, MEMBERS, CLASSES, FOLDS = 1_000_000, 20, 10, 5
SAMPLES_A_PATIENT = 4
MOST_SECONDS, MOST_BYTES = 180.0, 4e9
Row = tuple[str, float, float]
"""A stage, its seconds, and the peak of memory by its end, in bytes."""


def make(folder: Path, samples: int) -> None:
    """Write manifest, folds and the members' files."""
    patient = np.arange(samples) // SAMPLES_A_PATIENT
    rng = np.random.default_rng(0)
    people = int(patient[-1]) + 1
    labels = rng.integers(CLASSES, size=people)[patient]
    fold = rng.integers(FOLDS, size=people)[patient].astype(np.int16)
    table = pd.DataFrame(
        {
            "sample_id": [f"p{who:06d}_s{i % SAMPLES_A_PATIENT}" for i, who in enumerate(patient)],
            "image": [f"images/{i:07d}.png" for i in range(samples)],
            "label": labels.astype("int16"),
            "patient": [f"p{who:06d}" for who in patient],
            "site": [f"site-{who % 7}" for who in patient],
            "split": "train",
            "checksum": [f"{i:064x}" for i in range(samples)],
        }
    )
    manifest = Manifest(table, tuple(f"class-{i}" for i in range(CLASSES)), True, 1)
    folds = Folds(tuple(table["sample_id"]), tuple(table["patient"]), fold)
    manifest.write(folder / "manifest.parquet")
    folds.write(folder / "folds.parquet")
    columns = SampleColumns.of(manifest, folds)
    hard = rng.normal(size=(samples, CLASSES)).astype(np.float32)
    for number in range(MEMBERS):
        make_member(folder / f"member-{number:02d}.parquet", columns, hard, number)
        print(f"member {number + 1} of {MEMBERS} made", flush=True)


def make_member(path: Path, columns: SampleColumns, hard: np.ndarray, number: int) -> None:
    """Write a member's rows, a fold at a time: what is hard for all, noise, and its own skill."""
    rng = np.random.default_rng([1, number])
    skill = 0.1 * number  # the first one knows nothing
    with pq.ParquetWriter(path, prediction_schema(CLASSES)) as file:
        for fold in range(FOLDS):
            rows = columns.held_out_rows(fold)
            noise = rng.normal(size=(len(rows), CLASSES)).astype(np.float32)
            logits = hard[rows] + noise + skill * np.eye(CLASSES)[columns.labels[rows]]
            table = prediction_table(columns, rows, logits, member=path.stem, fold=fold, seed=0)
            file.write_table(table.drop_columns([SPLIT]))


def measure(folder: Path) -> list[Row]:
    """Join and fit; give each stage."""
    rows: list[Row] = []

    @contextmanager
    def timed(stage: str) -> Iterator[None]:
        begun = time.perf_counter()
        yield
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        rows.append((stage, time.perf_counter() - begun, peak))
        print(f"{stage}: {rows[-1][1]:.1f} s, {peak / 1e9:.2f} GB", flush=True)

    with timed("manifest read"):
        manifest = Manifest.read(folder / "manifest.parquet")
    with timed("folds read"):
        folds = Folds.read(folder / "folds.parquet")
    files = {path.stem: path for path in sorted(folder.glob("member-*.parquet"))}
    with timed("members joined"):
        oof = join_members(files, manifest, folds, folder / "oof.arrow")
    for kind in ("mean", "greedy", "logistic"):
        with timed(f"{kind} fitted"):
            fit_meta_learner(kind, oof.logits, oof.labels, oof.patients)
    return rows


def table_of(rows: list[Row], samples: int) -> str:
    """Lay out the stages, with the facts of the machine."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, pyarrow {pa.__version__}, "
        f"numpy {np.__version__}, scikit-learn {sklearn.__version__}, {os.cpu_count()} cores; "
        f"{MEMBERS} members, {samples:,} samples of {samples // SAMPLES_A_PATIENT:,} patients, "
        f"{CLASSES} classes.",
        "",
        "| stage | seconds | peak memory so far |",
        "|---|---|---|",
        *(f"| {stage} | {seconds:.1f} | {peak / 1e9:.2f} GB |" for stage, seconds, peak in rows),
        f"| from the join on | {seconds_of(rows):.1f} | {rows[-1][2] / 1e9:.2f} GB |",
    ]
    return "\n".join(lines) + "\n"


def seconds_of(rows: list[Row]) -> float:
    """Sum the seconds from the join on."""
    return sum(seconds for stage, seconds, _ in rows if not stage.endswith("read"))


def main() -> None:
    """Make, measure in a fresh process, write the table, and fail above the limits."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    samples = SAMPLES // 50 if quick else SAMPLES
    # Made in a process of its own too: what this one took would count for those it starts.
    with (
        tempfile.TemporaryDirectory() as name,
        ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh,
    ):
        fresh.submit(make, Path(name), samples).result()
        rows = fresh.submit(measure, Path(name)).result()
    text = table_of(rows, samples)
    print(text)
    if not quick:
        TABLE.write_text(text, encoding="utf-8")
    if seconds_of(rows) > MOST_SECONDS or rows[-1][2] > MOST_BYTES:
        raise SystemExit(f"above {MOST_SECONDS:.0f} s or {MOST_BYTES / 1e9:.0f} GB")


if __name__ == "__main__":
    main()
