"""A study of one number and one choice, whose folds are told and not trained."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import optuna
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymed.search import Identity, SharedStudy, Trial, close_storage, open_storage, open_study

FOLDS = 3


def suggest(trial: optuna.Trial) -> dict[str, float | str]:
    sam = trial.suggest_categorical("sam", ["none", "rho (2)"])
    if sam == "none":
        return {"sam": sam}
    return {"sam": sam, "rho": trial.suggest_float("sam.rho@rho (2)", 0.01, 0.1)}


@pytest.fixture
def open_toy(tmp_path: Path) -> Iterator[Callable[[], SharedStudy]]:
    """Opens the same study anew, as the next driver would."""
    storages = []

    def open_one() -> SharedStudy:
        storage = open_storage(None, tmp_path / "study")
        storages.append(storage)
        identity = Identity.of("manifest", "folds", 3, 1, {})
        return open_study(storage, tmp_path / "study", "toy", identity, suggest, folds=FOLDS)

    yield open_one
    for storage in storages:
        close_storage(storage)


@pytest.fixture
def toy(open_toy: Callable[[], SharedStudy]) -> SharedStudy:
    """The study, with its two first points chosen: without SAM, and with it."""
    study = open_toy()
    study.enqueue({"sam": "none"}, "test")
    study.enqueue({"sam": "rho (2)", "sam.rho@rho (2)": 0.05}, "test")
    return study


@pytest.fixture
def attempt(tmp_path: Path) -> Callable[[Trial, int], Path]:
    """Makes the folder of a fold's attempt, with two epochs; the second one held out nothing."""

    def make(trial: Trial, fold: int) -> Path:
        folder = tmp_path / f"trial-{trial.number}" / f"fold-{fold}"
        folder.mkdir(parents=True)
        epochs = [
            {"epoch": 1, "loss": 1.5 + fold, "held_out_loss": 1.25},
            {"epoch": 2, "loss": 0.5 + fold, "held_out_loss": None},
        ]
        pq.write_table(pa.Table.from_pylist(epochs), folder / "epochs.parquet")
        return folder

    return make


def begun(study: SharedStudy) -> Trial:
    trial = study.ask()
    assert trial is not None
    return trial


def tell(study: SharedStudy, trial: Trial, values: Sequence[float]) -> None:
    """Tells the study the values of a trial's first folds, 2 s of training each."""
    for fold, value in enumerate(values):
        study.report(trial, fold, value, seconds=2.0)
