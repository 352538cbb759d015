"""`raymed tune` refuses what cannot be searched: place, fault, remedy, code 2, nothing done."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from raymed.cli.display import trial_line
from raymed.pipeline.events import TrialEnded

Call = Callable[..., Any]


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("search.space={}", ("search.space", "empty")),
        ("search.space={sam: {roh: {low: 0.01, high: 0.1}}}", ("sam.roh", "did you mean 'rho'?")),
        ("search.space={dropout: {low: 0.5, high: 0.1}}", ("search.space.dropout", "0.5")),
        ("search.space={dropout: {low: 0, high: 0.5, log: true}}", ("dropout", "log")),
        ("search.recipe=nobody", ("search.recipe", "nobody")),
        ("search.sampler=tpee", ("search.sampler", "tpe")),
        ("search.storage=nonsense", ("search.storage", "no database")),
        ("search.mlflow=file:mlruns", ("search.mlflow", "no tracking store", "sqlite:///")),
        ("search.halving={first: 99}", ("search.halving.first", "too late")),
        ("search.trials=null", ("search", "give trials, hours or gpu_hours")),
    ],
)
def test_a_search_that_cannot_be_is_refused_when_it_is_read(
    raymed: Call, config: Path, override: str, words: tuple[str, ...]
) -> None:
    run = config.parent / "run"
    said = raymed("tune", config, override, "--run", run)
    assert said.code == 2, said
    for word in words:
        assert word in said.err, f"{word!r} not in {said.err!r}"
    assert "Traceback" not in said.err + said.out
    assert not run.exists()


@pytest.mark.parametrize(
    ("overrides", "words"),
    [
        (
            ["recipes.cnn.workers=2"],
            "recipes.cnn.workers: 2 processes a unit, cluster.workers is 1",
        ),
        (
            ["recipes.cnn.workers=1000", "recipes.cnn.batch_size=2000", "cluster.workers=auto"],
            "recipes.cnn.workers: 1000 processes a unit, cores here",
        ),
        (
            ["recipes.cnn.workers=2", "cluster.workers=2", "cluster.engine=workers"],
            "workers cannot share a unit",
        ),
        (["search.space={workers: {low: 1, high: 2}}"], "search.space.workers: changes what"),
        (["search.space={workers: {choices: [1, 8]}}"], "search.space.workers: changes what"),
        (["search.trials=null", "search.gpu_hours=1"], "search.gpu_hours: is the whole budget"),
        (["cluster.device=cuda"], "cluster.device: cuda is not available"),
        (["cluster.address=ray://10.0.0.1:10001"], "cluster.address: ray:// is a client's address"),
    ],
)
def test_a_request_that_can_never_be_met_is_refused_before_anything_is_done(
    raymed: Call, config: Path, monkeypatch: pytest.MonkeyPatch, overrides: list[str], words: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    run = config.parent / "run"
    said = raymed("tune", config, *overrides, "--run", run)
    _refused_at_once(said, run, words)


def test_more_gpus_than_there_are_are_refused(
    raymed: Call, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    run = config.parent / "run"
    wish = ("recipes.cnn.workers=4", "cluster.workers=auto", "cluster.device=auto")
    said = raymed("tune", config, *wish, "--run", run)
    _refused_at_once(said, run, "recipes.cnn.workers: 4 processes a unit, GPUs here: 2")


def _refused_at_once(said: Any, run: Path, words: str) -> None:
    assert said.code == 2, said
    assert words in said.err
    assert "Traceback" not in said.err + said.out
    assert not (run / "manifest.parquet").exists()
    assert not (run / "study").exists()


@pytest.mark.parametrize("server", ["postgresql", "postgresql+psycopg"])
def test_a_database_that_does_not_answer_is_refused_at_once_and_without_its_password(
    raymed: Call, config: Path, server: str
) -> None:
    if server == "postgresql+psycopg":
        pytest.importorskip("psycopg", reason="no psycopg, the driver of PostgreSQL")
    url, run = f"{server}://raymed:secret@127.0.0.1:1/studies", config.parent / "run"
    began = time.monotonic()
    said = raymed("tune", config, f"search.storage={url}", "--run", run)
    assert time.monotonic() - began < 30
    _refused_at_once(said, run, "search.storage: postgresql")
    assert "secret" not in said.err


def test_an_mlflow_server_that_nobody_runs_is_refused_before_anything_is_done(
    raymed: Call, config: Path
) -> None:
    pytest.importorskip("mlflow", reason="no MLflow: raymed[mlflow]")
    run = config.parent / "run"
    said = raymed("tune", config, "search.mlflow=http://127.0.0.1:1", "--run", run)
    assert said.code == 2
    assert "search.mlflow" in said.err
    assert "Traceback" not in said.err + said.out
    assert [file.name for file in run.iterdir()] == [".lock"]


def test_a_password_in_an_mlflow_address_is_refused_and_not_shown(
    raymed: Call, config: Path
) -> None:
    uri = "http://me:secr3t@127.0.0.1:1"
    said = raymed("tune", config, f"search.mlflow={uri}", "--run", config.parent / "run")
    assert said.code == 2
    assert "MLFLOW_TRACKING_PASSWORD" in said.err
    assert "secr3t" not in said.err + said.out


def test_a_warm_start_from_a_run_without_a_study_is_refused(raymed: Call, config: Path) -> None:
    said = raymed("tune", config, "--run", config.parent / "run", "--warm-start", config.parent)
    assert said.code == 2
    assert "is not a run folder" in said.err


def test_a_build_from_a_study_that_is_not_there_is_refused(raymed: Call, config: Path) -> None:
    said = raymed("build", config, "--run", config.parent / "run", "--from-study", 3)
    assert said.code == 2
    assert "has no study" in said.err
    assert "raymed tune" in said.err


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (TrialEnded(7, "pruned", folds=1, within=(2, 1)), "stopped in fold 2 after epoch 1"),
        (TrialEnded(7, "pruned", folds=1), "stopped after 1 fold"),
        (TrialEnded(7, "pruned", folds=2), "stopped after 2 folds"),
    ],
)
def test_a_line_says_where_a_trial_was_stopped(event: TrialEnded, words: str) -> None:
    assert trial_line(event).partition(": ")[2] == words
