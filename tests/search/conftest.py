"""A study of one number, in a folder of its own."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import optuna
import pytest
from optuna.storages import BaseStorage

from raymed.search import Identity, SharedStudy, close_storage, open_storage, open_study

IDENTITY = Identity.of("manifest", "folds", 7, 1, {"rho": [0.0, 1.0]})


def suggest(trial: optuna.Trial) -> dict[str, float]:
    return {"rho": trial.suggest_float("rho", 0.0, 1.0)}


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def driver(tmp_path: Path, clock: Clock) -> Iterator[Callable[..., SharedStudy]]:
    """Opens the same study anew, as another process would; `url` for a database."""

    storages: list[BaseStorage] = []

    def open_one(**options: Any) -> SharedStudy:
        folder = options.pop("folder", tmp_path / "study")
        given = {"identity": IDENTITY, "suggest": suggest, "folds": 3, "clock": clock, **options}
        storage = open_storage(given.pop("url", None), folder)
        storages.append(storage)
        return open_study(storage, folder, "toy", **given)

    yield open_one
    for storage in storages:
        close_storage(storage)


def run_folds(study: SharedStudy, values: list[float]) -> Any:
    """Asks for a trial and tells it folds' values in order."""
    trial = study.ask()
    assert trial is not None
    for fold, value in enumerate(values):
        study.report(trial, fold, value)
    return trial
