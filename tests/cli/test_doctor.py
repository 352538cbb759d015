"""`raymed doctor` where there is no cluster; tests/pipeline and tests/cluster have real ones."""

import json
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def shut() -> str:
    """A port where nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def test_an_address_that_is_none_is_refused(raymed: Call) -> None:
    said = raymed("doctor", "--address", "ray://there:10001")

    assert said.code == 2
    assert "--address: ray:// is a client's address" in said.err


def test_where_nothing_answers_that_is_the_finding(raymed: Call, shut: str) -> None:
    said = raymed("doctor", "--address", shut)

    assert said.code == 2
    assert f"nothing answers at {shut}" in said.out
    assert "start it with `ray start --head`" in said.out
    assert f"the Ray at {shut}: not ready, errors: 1; data not looked at" in said.out


def test_where_no_head_answers_the_jobs_api_that_is_the_error(raymed: Call, shut: str) -> None:
    said = raymed("doctor", "--address", f"http://{shut}")

    assert said.code == 2
    assert f"http://{shut}: no Ray head answers there" in said.err


def test_a_relative_run_folder_is_none_of_a_cluster(raymed: Call, shut: str) -> None:
    said = raymed("doctor", "--address", f"http://{shut}", "--run", "runs/a")

    assert said.code == 2
    assert "--run runs/a: is relative" in said.err


@pytest.mark.slow
def test_this_machine_alone_is_ready_and_left_as_it_was(config: Path, tmp_path: Path) -> None:
    run = tmp_path / "runs" / "run"
    command = Path(sys.executable).with_name("raymed")

    said = subprocess.run(
        [command, "doctor", config, "--run", run, "--json"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    found = json.loads(said.stdout)
    faults = {f"{each['place']}: {each['fault']}" for each in found["findings"]}
    assert said.returncode == 0, faults
    assert "this machine: Ray starts" in faults
    assert (
        f"{run}: was written from every node, and every node reads what the others wrote" in faults
    )
    assert any("asks for a token" in each for each in faults)
    (node,) = found["nodes"]
    assert node["versions"]["python"] == sys.version.split()[0]
    assert node["machine"]["memory"] > node["machine"]["memory_free"] > 0
    assert not run.parent.exists()
