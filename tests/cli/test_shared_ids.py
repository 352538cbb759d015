"""What a run shares names no patient: the terminal, logs, the report and its figures."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.ipc
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

Call = Callable[..., Any]

PATIENTS = ("quentina", "zaphod", "marvin", "trillian", "arthur", "fenchurch", "agrajag", "slarti")
HOLDERS = (
    "manifest.parquet",
    "folds.parquet",
    "audit.json",
    "hidden_groups.parquet",
    "gallery.parquet",
    "augmented.parquet",
    "oof.arrow",
    "members/*/oof.parquet",
    "members/*/test.parquet",
    "members/*/fold-*/*/predictions.parquet",
    "evaluations/*/manifest.parquet",
    "evaluations/*/predictions.parquet",
)
"""Files of a run folder that hold ids on purpose, as docs/security.md says."""


def write_ward(folder: Path) -> Path:
    """Write six slices of each of eight people, much alike, one of them twice."""
    rng = np.random.default_rng(0)
    for number, patient in enumerate(PATIENTS):
        anatomy = rng.integers(0, 256, (8, 8)).repeat(4, axis=0).repeat(4, axis=1)
        for image in range(6):
            pixels = np.clip(anatomy + rng.integers(-9, 10, (32, 32)), 0, 255).astype(np.uint8)
            path = folder / "ward" / ("ill", "well")[number % 2] / f"{patient}-{image % 5}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            if image == 5:
                path = path.with_stem(f"{patient}-again")
            Image.fromarray(pixels if image else anatomy.astype(np.uint8)).save(path)
    twin = folder / "ward" / "ill" / "quentina-0.png"
    twin.with_stem("quentina-twin").write_bytes(twin.read_bytes())
    content = {
        "name": "ward",
        "data": {"source": "ward", "patients": {"pattern": "/([a-z]+)-"}, "folds": 2},
        "recipes": {
            "cnn": {
                "model": "test_resnet",
                "pretrained": "none",
                "size": 32,
                "phases": [{"epochs": 1, "lr": 1e-3}],
            }
        },
        "evaluate": {"draws": 100, "gallery": 6},
        "cluster": {"workers": 1, "device": "cpu"},
    }
    file = folder / "ward.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def text_of(path: Path) -> str:
    """Everything a file says, tables unpacked."""
    if path.suffix == ".parquet":
        table = pq.read_table(path)
    elif path.suffix == ".arrow":
        with pyarrow.ipc.open_file(path) as file:
            table = file.read_all()
    else:
        return path.read_bytes().decode("latin-1")
    return str(table.to_pylist()) + str(table.schema.metadata)


def named_in(text: str) -> list[str]:
    return [patient for patient in PATIENTS if patient in text.lower()]


@pytest.mark.slow
def test_only_the_files_that_are_said_to_hold_ids_do(raymed: Call, tmp_path: Path) -> None:
    config, run = write_ward(tmp_path), tmp_path / "run"
    command = [sys.executable, "-m", "raymed.cli", "build", str(config), "--run", str(run)]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built
    patients = "data.patients={pattern: '/([a-z]+)-'}"
    evaluated = raymed("evaluate", run, tmp_path / "ward", patients, "--shared-patients")
    said = [evaluated, raymed("status", run), raymed("status", run, "--json")]
    assert [each.code for each in said] == [0, 0, 0], said
    printed = built.stdout + built.stderr + "".join(each.out + each.err for each in said)
    files = [path for path in run.rglob("*") if path.is_file()]
    naming = {path.relative_to(run) for path in files if named_in(text_of(path))}

    holders = {path.relative_to(run) for pattern in HOLDERS for path in run.glob(pattern)}
    assert naming <= holders
    assert named_in(printed) == []
    assert {Path("manifest.parquet"), Path("audit.json"), Path("oof.arrow")} <= naming
    page = (run / "report.html").read_text()
    for shown in ('id="gallery"', "Examples of duplicates", "proposed groups", "it shares 8 pat"):
        assert shown in page
    assert list(run.glob("log/*"))
