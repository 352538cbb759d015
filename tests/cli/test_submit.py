"""`raymed submit` and its kin where nothing can be submitted; tests/cluster has a real head."""

import socket
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def nobody() -> str:
    """An address where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{probe.getsockname()[1]}"


def refused(said: Any, *words: str) -> None:
    assert said.code == 2, said
    for word in words:
        assert word in said.err, f"{word!r} not in {said.err!r}"
    assert "Traceback" not in said.err + said.out


@pytest.mark.parametrize(
    "words", [("submit", "build", "CONFIG", "--run", "/r"), ("jobs",), ("logs", "a"), ("stop", "a")]
)
def test_an_address_where_nobody_listens(
    raymed: Call, config: Path, nobody: str, words: tuple[str, ...]
) -> None:
    said = raymed(*(config if word == "CONFIG" else word for word in words), "--address", nobody)

    refused(said, f"{nobody}: no Ray head answers there", "check the address")


def test_a_head_that_never_answers(
    raymed: Call, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import raymed.cluster.jobs as client

    monkeypatch.setattr(client, "_ANSWER_SECONDS", (1, 1))
    with socket.create_server(("127.0.0.1", int(nobody.rpartition(":")[2]))):
        refused(raymed("jobs", "--address", nobody), "no Ray head answers", "ReadTimeout")


def test_a_configuration_is_read_before_anything_is_reached(
    raymed: Call, config: Path, nobody: str
) -> None:
    said = raymed("submit", "build", config, "sed=1", "--run", "/r", "--address", nobody)

    refused(said, "sed: unknown field", "did you mean 'seed'?")


def test_a_relative_run_folder(raymed: Call, config: Path, nobody: str) -> None:
    said = raymed("submit", "build", config, "--run", "runs/a", "--address", nobody)

    refused(said, "--run runs/a: is relative", "absolute path", "the cluster shares")


def test_no_run_folder(raymed: Call, config: Path) -> None:
    refused(raymed("submit", "build", config), "--run")


def test_a_verb_that_cannot_be_submitted(raymed: Call, config: Path) -> None:
    refused(raymed("submit", "predict", config, "--run", "/r"), "predict", "build", "compare")


def test_an_option_of_another_verb(raymed: Call, config: Path) -> None:
    said = raymed("submit", "tune", config, "--run", "/r", "--from-study", 3)

    refused(said, "--from-study: is for raymed build, this is tune")


def test_a_package_over_the_limit(raymed: Call, config: Path, nobody: str) -> None:
    said = raymed("submit", "build", config, "--run", "/r", "--address", nobody, "--limit", 0.1)

    refused(said, "the package: holds", "over the limit of 100 kB", "--limit")


def test_without_the_extra_it_is_named(
    raymed: Call, nobody: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.delitem(sys.modules, "raymed.cluster.jobs", raising=False)

    refused(raymed("jobs", "--address", nobody), "Jobs API is not installed", "raymed[cluster]")
