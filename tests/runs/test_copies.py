"""Copies of run folders in the cache: told, kept while they are used, removed after that."""

from pathlib import Path

import pytest

from raymed.data.holding import let_go
from raymed.errors import InputError
from raymed.pipeline.cache import clear_cache, list_cache
from raymed.runs import RunFolder
from raymed.runs.store import RunStore


def test_a_copy_is_listed_and_goes_only_when_nobody_uses_it(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYMED_CACHE", str(tmp_path))
    (tmp_path / "experiment.yaml").write_text("name: a")
    store.put(tmp_path / "experiment.yaml", "experiment.yaml")
    let_go()

    run = RunFolder.existing(store.url)

    assert run.experiment_file.read_text() == "name: a"
    (kept,) = list_cache(tmp_path)
    assert (kept.kind, kept.path, kept.is_whole, kept.in_use) == ("run", run.path, True, True)
    assert [gone for _, gone in clear_cache(tmp_path, 0)] == [False]
    let_go()
    assert [gone for _, gone in clear_cache(tmp_path, 0)] == [True]
    assert list_cache(tmp_path) == []


def test_a_url_without_a_run_is_told(
    store: RunStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAYMED_CACHE", str(tmp_path))
    with pytest.raises(InputError, match=r"s3://ward/runs/a.*is not a run folder"):
        RunFolder.existing(store.url)
