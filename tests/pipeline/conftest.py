"""A tiny experiment on phantoms that builds in seconds, and one that was built."""

import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import yaml

from raymed.config import Experiment, parse_experiment
from raymed.data.phantom import STAGES, write_phantoms
from raymed.pipeline.build import Built, build
from raymed.pipeline.ordering import longest_first
from raymed.pipeline.units import FoldUnit

SETTINGS: dict[str, Any] = {
    "name": "tiny",
    "data": {
        "source": "phantom/manifest.csv",
        "patients": {"column": "patient"},
        "classes": list(STAGES),
        "ordinal": True,
        "folds": 2,
        "test": {"share": 0.2},
    },
    "defaults": {"pretrained": "none", "size": 32, "batch_size": 16},
    "recipes": {
        "cnn": {"model": "test_resnet", "phases": [{"epochs": 3, "lr": 2e-3}]},
        "probe": {
            "model": "test_efficientnet",
            "phases": [{"train": "head", "epochs": 3, "lr": 1e-2}],
        },
    },
    "evaluate": {"draws": 100},
    "cluster": {"workers": 2, "checkpoint_seconds": 0},
}

Make = Callable[..., Experiment]


@pytest.fixture(scope="session")
def phantoms(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds 20 phantom patients with two slices each."""
    folder = tmp_path_factory.mktemp("tiny")
    write_phantoms(folder / "phantom", patients=20, slices=2, size=32)
    return folder


@pytest.fixture(scope="session")
def make(phantoms: Path) -> Make:
    """Make the tiny experiment, with overrides."""

    def experiment(*overrides: str) -> Experiment:
        return parse_experiment(SETTINGS, phantoms, "tiny.yaml", overrides)

    return experiment


@pytest.fixture(scope="session")
def config_file(phantoms: Path) -> Path:
    """The tiny experiment as a file."""
    file = phantoms / "tiny.yaml"
    file.write_text(yaml.safe_dump(SETTINGS))
    return file


@pytest.fixture(scope="session")
def only_cnn() -> str:
    """The override that leaves one recipe: each unit that Ray Train starts takes its time."""
    return "recipes={cnn: {model: test_resnet, phases: [{epochs: 3, lr: 2e-3}]}}"


@pytest.fixture(scope="session")
def built_cnn(make: Make, only_cnn: str, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """That one built, by two workers."""
    return build(make(only_cnn), tmp_path_factory.mktemp("built_cnn") / "run")


@pytest.fixture(scope="session")
def built(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """The tiny experiment, built by two workers and never disturbed."""
    return build(make(), tmp_path_factory.mktemp("built") / "run")


@pytest.fixture(scope="session")
def processes_of() -> Callable[[int], list[int]]:
    """Find the processes that the build with a process id started and that are still there."""

    def find(session: int) -> list[int]:
        found, mark = [], f"{tempfile.gettempdir()}/raymed-{session}"
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get("RAYMED_SESSION") == mark:
                    found.append(process.pid)
        return found

    return find


@pytest.fixture
def backwards(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Builds begin with their last unit; gives the units, as they came."""
    came: list[Any] = []

    def turned(*arguments: Any) -> list[Any]:
        units = longest_first(*arguments)
        came.extend((unit.member, unit.fold) for unit in units if isinstance(unit, FoldUnit))
        return units[::-1]

    monkeypatch.setattr("raymed.pipeline.training.longest_first", turned)
    return came
