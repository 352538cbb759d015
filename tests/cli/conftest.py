"""The command line, run in this process, and a small data folder to break."""

import shutil
import subprocess
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


def write_scans(folder: Path) -> Path:
    """Write two classes, six patients with two JPEGs each; returns a configuration of them."""
    rng = np.random.default_rng(0)
    for patient in range(6):
        for image in range(2):
            name = ("sick" if patient % 2 else "healthy", f"p{patient}_{image}.jpg")
            path = folder.joinpath("scans", *name)
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(rng.integers(0, 255, (40, 40), dtype=np.uint8)).save(path)
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
    file = folder / "scans.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration, of scans beside it, that would build."""
    return write_scans(tmp_path)


@pytest.fixture
def scans(config: Path) -> Path:
    """The folder of those scans."""
    return config.parent / "scans"


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Said]:
    """A run of such scans, built by the command line once, and what it printed."""
    folder = tmp_path_factory.mktemp("finished")
    command = Path(sys.executable).with_name("raymed")
    run = folder / "run"
    said = subprocess.run(
        [command, "build", write_scans(folder), "--run", run],
        capture_output=True,
        text=True,
        check=False,
    )
    return run, Said(said.returncode, said.stdout, said.stderr)


@pytest.fixture
def run(finished: tuple[Path, Said], tmp_path: Path) -> Path:
    """A copy of that run, to harm."""
    return Path(shutil.copytree(finished[0], tmp_path / "run"))
