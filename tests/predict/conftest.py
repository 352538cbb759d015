"""A tiny run whose stack has an evidential member and prototypical ones, built once."""

from pathlib import Path

import pytest

from raymed.config import parse_experiment
from raymed.data.phantom import write_phantoms
from raymed.pipeline.build import Built, build
from tests.pipeline.conftest import SETTINGS

PROTOTYPICAL = {"kind": "prototypical", "shots": 2, "embedding_dim": 8}
RECIPES = {
    "doubter": {"model": "test_resnet", "evidential": {}, "phases": [{"epochs": 2, "lr": 2e-3}]},
    "nearest": {
        "model": "test_resnet",
        "head": PROTOTYPICAL,
        "phases": [{"epochs": 2, "lr": 2e-3}],
    },
    "nearest-probe": {
        "model": "test_efficientnet",
        "head": PROTOTYPICAL,
        "phases": [{"train": "head", "epochs": 2, "lr": 1e-2}],
    },
}


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds 20 phantom patients with two slices each."""
    folder = tmp_path_factory.mktemp("optional")
    write_phantoms(folder / "phantom", patients=20, slices=2, size=32)
    return folder / "phantom"


@pytest.fixture(scope="session")
def built(images: Path, tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A build of them."""
    settings = {
        **SETTINGS,
        "recipes": RECIPES,
        "ensemble": {"meta_learners": ["mean"]},
        "cluster": {"workers": 2, "device": "cpu"},
    }
    experiment = parse_experiment(settings, images.parent, "optional.yaml")
    return build(experiment, tmp_path_factory.mktemp("built") / "run")


@pytest.fixture(scope="session")
def files(images: Path) -> list[str]:
    """A few of the images."""
    return [str(path) for path in sorted(images.rglob("*.png"))[:6]]
