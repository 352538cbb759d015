"""The command line, run in this process, and a small data folder to break."""

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from raymed.cli import main


@dataclass(frozen=True)
class Said:
    """What a call of the command line printed, and its exit code."""

    code: int
    out: str
    err: str


Call = Callable[..., Said]


@pytest.fixture
def raymed(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Call `raymed` with arguments, as a user does."""

    def call(*arguments: object) -> Said:
        monkeypatch.setattr(sys, "argv", ["raymed", *map(str, arguments)])
        code = 0
        try:
            main()
        except SystemExit as end:
            code = int(end.code or 0)
        printed = capsys.readouterr()
        return Said(code, printed.out, printed.err)

    return call


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    """A folder of two classes, six patients with two JPEGs each."""
    folder = tmp_path / "scans"
    rng = np.random.default_rng(0)
    for patient in range(6):
        for image in range(2):
            path = folder / ("sick" if patient % 2 else "healthy") / f"p{patient}_{image}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (40, 40), dtype=np.uint8)).save(path)
    return folder


@pytest.fixture
def config(tmp_path: Path, scans: Path) -> Path:
    """A configuration of those scans that would build."""
    file = tmp_path / "scans.yaml"
    content = {
        "name": "scans",
        "data": {"source": "scans", "patients": {"pattern": "(p[0-9]+)_"}, "folds": 2},
        "recipes": {
            "cnn": {
                "model": "test_resnet",
                "pretrained": "none",
                "size": 32,
                "phases": [{"epochs": 1, "lr": 1e-3}],
            }
        },
        "evaluate": {"draws": 100},
        "cluster": {"workers": 1, "device": "cpu"},
    }
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture
def keep(tmp_path: Path) -> Callable[[Path], Path]:
    """Copy a folder aside."""

    def copy(source: Path) -> Path:
        target = tmp_path / "kept"
        shutil.copytree(source, target)
        return target

    return copy
