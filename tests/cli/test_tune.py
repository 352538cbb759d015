"""`raymed tune` refuses what cannot be searched: place, fault, remedy, code 2, nothing done."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from raymed.cli.trials import trial_line
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


def test_an_unreachable_database_is_refused_without_its_password(
    raymed: Call, config: Path
) -> None:
    pytest.importorskip("psycopg", reason="no psycopg, the driver of PostgreSQL")
    url = "postgresql+psycopg://raymed:secret@127.0.0.1:1/studies"
    said = raymed("tune", config, f"search.storage={url}", "--run", config.parent / "run")
    assert said.code == 2
    assert "search.storage" in said.err
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
