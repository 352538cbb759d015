"""MLflow holds each trial once, as the study does, whatever becomes of drivers and servers."""

import shutil
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from raymed.errors import InputError
from raymed.pipeline.events import Note
from raymed.pipeline.tune.logs import Logs
from raymed.pipeline.tune.mlflow import MlflowRuns
from raymed.pipeline.tune.tracking import open_tracking
from raymed.search import SharedStudy, stored
from tests.pipeline.tune.conftest import begun, tell
from tests.pipeline.tune.readers import seen

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as MLflow makes it, which takes it seconds, with the experiment."""
    pytest.importorskip("mlflow", reason="no MLflow: raymed[mlflow]")
    file = tmp_path_factory.mktemp("mlflow") / "mlflow.db"
    open_tracking(f"sqlite:///{file}", "toy")
    return file


@pytest.fixture
def uri(empty: Path, tmp_path: Path) -> str:
    shutil.copy(empty, tmp_path / "mlflow.db")
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def runs_at(uri: str, study: SharedStudy) -> MlflowRuns:
    """What the next driver logs to."""
    runs = MlflowRuns(open_tracking(uri, "toy"), study.token)
    runs.look()
    return runs


def test_every_trial_is_a_run_below_that_of_the_study(toy: SharedStudy, uri: str) -> None:
    runs = runs_at(uri, toy)
    complete, pruned, failed = begun(toy), begun(toy), begun(toy)
    for trial in (complete, pruned, failed):
        runs.log(stored(trial), {})
    assert {run["status"] for run in seen(uri).values()} == {"RUNNING"}
    tell(toy, complete, [0.5, 0.25, 0.75])
    tell(toy, pruned, [1.0])
    runs.log(stored(pruned), {})
    toy.finish(complete, [0.375])
    toy.finish(pruned, pruned=True)
    toy.finish(failed, failed="fold 0: the loss is not finite")
    for trial in (complete, pruned, failed):
        runs.log(stored(trial), {})
    runs.close()

    found = seen(uri)
    parent = found.pop("toy")
    assert parent["status"] == "FINISHED"
    assert {run["parent"] for run in found.values()} == {parent["id"]}
    assert found["trial-0"]["params"] == {"sam": "none"}
    assert found["trial-0"]["values"] == {
        "log_loss/fold-0": 0.5,
        "log_loss/fold-1": 0.25,
        "log_loss/fold-2": 0.75,
        "log_loss/pooled": 0.375,
        "seconds": 6.0,
    }
    assert found["trial-1"]["params"] == {"sam": "rho (2)", "sam.rho_rho _2_": "0.05"}
    assert found["trial-1"]["values"] == {"log_loss/fold-0": 1.0, "seconds": 2.0}
    ends = [(run["status"], run["state"]) for _, run in sorted(found.items())]
    assert ends == [("FINISHED", "COMPLETE"), ("KILLED", "PRUNED"), ("FAILED", "FAIL")]
    assert found["trial-2"]["error"] == "fold 0: the loss is not finite"


def test_the_next_driver_goes_on_in_the_same_runs(
    toy: SharedStudy, uri: str, open_toy: Callable[[], SharedStudy]
) -> None:
    first = runs_at(uri, toy)
    trial = begun(toy)
    tell(toy, trial, [0.5])
    first.log(stored(trial), {})
    before = seen(uri)

    heir = open_toy()
    runs = runs_at(uri, heir)
    (adopted,) = heir.adopt(alone=True)
    runs.log(stored(adopted), {})
    tell(heir, adopted, [0.5, 0.25, 0.75])
    heir.finish(adopted, [0.375])
    Logs([runs]).close(heir.study.trials, lambda _: {})

    after = seen(uri)
    assert {name: run["id"] for name, run in after.items()} == {
        name: run["id"] for name, run in before.items()
    }
    assert after["trial-0"]["values"]["log_loss/pooled"] == 0.375
    history = runs.tracking.client.get_metric_history(after["trial-0"]["id"], "log_loss/fold-0")
    assert [point.value for point in history] == [0.5]


def test_two_studies_of_one_name_have_a_run_each(toy: SharedStudy, uri: str) -> None:
    runs = runs_at(uri, toy)
    other = MlflowRuns(runs.tracking, "another study")
    other.look()
    assert other.parent != runs.parent


def test_a_store_that_dies_costs_a_warning_and_what_it_missed_comes_at_the_end(
    toy: SharedStudy, uri: str, tmp_path: Path
) -> None:
    runs = runs_at(uri, toy)
    logs, trial = Logs([runs]), begun(toy)
    logs.log(stored(trial), {})
    runs.tracking.client._tracking_client.store.engine.dispose()  # it holds the file open
    database, away = tmp_path / "mlflow.db", tmp_path / "away.db"
    database.rename(away)
    database.mkdir()
    for fold, value in enumerate([0.5, 0.25, 0.75]):
        toy.report(trial, fold, value)
        logs.log(stored(trial), {})
    toy.finish(trial, [0.375])
    logs.log(stored(trial), {})
    (note,) = [logs.news.get() for _ in range(logs.news.qsize())]
    assert isinstance(note, Note)
    assert note.warning
    assert uri in note.text
    database.rmdir()
    away.rename(database)

    logs.close(toy.study.get_trials(), lambda _: {})

    assert logs.news.empty()
    assert seen(uri)["trial-0"]["values"]["log_loss/pooled"] == 0.375
    assert seen(uri)["trial-0"]["status"] == "FINISHED"


def test_a_server_that_nobody_runs_is_refused_at_once() -> None:
    pytest.importorskip("mlflow", reason="no MLflow: raymed[mlflow]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begin = time.monotonic()
    with pytest.raises(InputError, match=rf"search.mlflow: .*127\.0\.0\.1:{port}.*refused"):
        open_tracking(f"http://127.0.0.1:{port}", "toy")
    assert time.monotonic() - begin < 5


def test_a_file_that_is_no_database_is_refused(uri: str, tmp_path: Path) -> None:
    (tmp_path / "mlflow.db").write_text("no database, but a text that is long enough for one\n" * 9)
    with pytest.raises(InputError, match=r"search\.mlflow: .*file is not a database"):
        open_tracking(uri, "toy")


def test_an_experiment_that_was_deleted_there_is_named(uri: str) -> None:
    tracking = open_tracking(uri, "toy")
    tracking.client.delete_experiment(tracking.experiment)
    with pytest.raises(InputError, match="'toy' was deleted"):
        open_tracking(uri, "toy")


def test_without_mlflow_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "mlflow", None)  # how Python marks what cannot be imported
    with pytest.raises(InputError, match=r"not installed.*raymed\[mlflow\]"):
        open_tracking(f"sqlite:///{tmp_path}/mlflow.db", "toy")
