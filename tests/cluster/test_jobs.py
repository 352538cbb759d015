"""Jobs on a real head with its dashboard, which asks for a token."""

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from PIL import Image

import raymed

pytestmark = pytest.mark.slow

MARK = "RAYMED_TEST_HEAD"
BIN = Path(sys.executable).parent
CALL_SECONDS = 900


@dataclass(frozen=True)
class Head:
    """A head, and the environment of one who may use it."""

    address: str
    environment: dict[str, str]

    def call(self, *words: object, **variables: str) -> "subprocess.CompletedProcess[str]":
        """Call `raymed` as its user does."""
        return subprocess.run(
            [sys.executable, "-m", "raymed.cli", *map(str, words), "--address", self.address],
            env=self.environment | variables,
            capture_output=True,
            text=True,
            timeout=CALL_SECONDS,
            check=False,
        )


def free_ports(count: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [probe.getsockname()[1] for probe in probes]
    for probe in probes:
        probe.close()
    return ports


@pytest.fixture(scope="module")
def head() -> Iterator[Head]:
    """A head of our own, whose processes are ended by their pid."""
    folder = tempfile.mkdtemp(prefix="rj-", dir="/tmp")  # Ray's sockets want a short path
    names = ("port", "dashboard-port", "dashboard-agent-listen-port", "ray-client-server-port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("RAY_")},
        "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}",
        "RAY_AUTH_MODE": "token",
        "RAY_AUTH_TOKEN": secrets.token_hex(32),
        "RAY_DASHBOARD_STARTUP_TIMEOUT_S": "300",
        "RAY_USAGE_STATS_ENABLED": "0",
    }
    ours = {"PYTHONPATH": str(Path(raymed.__file__).parents[1])}
    settings = {
        "node-ip-address": "127.0.0.1",
        "include-dashboard": "true",
        "dashboard-host": "127.0.0.1",
        "num-cpus": 2,
        "object-store-memory": 100_000_000,
    }
    options = [f"--{name}={value}" for name, value in {**ports, **settings}.items()]
    try:
        subprocess.run(
            [BIN / "ray", "start", "--head", f"--temp-dir={folder}", *options],
            env=environment | {MARK: folder},
            check=True,
            timeout=600,
        )
        yield Head(f"http://127.0.0.1:{ports['dashboard-port']}", environment | ours)
    finally:
        end_processes(folder)
        shutil.rmtree(folder, ignore_errors=True)


def end_processes(folder: str) -> None:
    ours = []
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == folder:
                process.kill()
                ours.append(process)
        except psutil.Error:
            continue
    psutil.wait_procs(ours, timeout=30)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A configuration beside its six patients' scans, named by a relative path."""
    rng = np.random.default_rng(0)
    for patient in range(6):
        for image in range(2):
            path = tmp_path / "scans" / ("sick" if patient % 2 else "healthy")
            path.mkdir(parents=True, exist_ok=True)
            pixels = rng.integers(0, 255, (40, 40), dtype=np.uint8)
            Image.fromarray(pixels).save(path / f"p{patient}_{image}.png")
    recipe = {"model": "test_resnet", "pretrained": "none", "size": 32}
    content = {
        "name": "scans",
        "data": {"source": "scans", "patients": {"pattern": "(p[0-9]+)_"}, "folds": 2},
        "recipes": {"cnn": {**recipe, "phases": [{"epochs": 1, "lr": 1e-3}]}},
        "evaluate": {"draws": 100},
        "cluster": {"workers": 1, "device": "cpu"},
    }
    file = tmp_path / "scans.yaml"
    file.write_text(yaml.safe_dump(content))
    return file


def wait_for(what: str, found: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not found():
        assert time.monotonic() < deadline, f"waited {seconds} s for {what}"
        time.sleep(1)


def test_a_build_runs_there_as_it_would_here(head: Head, config: Path, tmp_path: Path) -> None:
    run = tmp_path / "run"

    said = head.call("submit", "build", config, "seed=3", "--run", run, "--job-id", "first")

    assert said.returncode == 0, said
    assert "job first: succeeded, exit code 0" in said.stdout
    assert f"the cluster must reach data.source: {tmp_path / 'scans'}" in said.stdout
    assert f"report: {run / 'report.html'}" in said.stdout
    assert (run / "stack").is_dir()
    assert "seed: 3" in (run / "experiment.yaml").read_text()
    assert f"report: {run / 'report.html'}" in head.call("logs", "first").stdout
    assert head.environment["RAY_AUTH_TOKEN"] not in said.stdout + said.stderr


def test_a_job_that_fails_gives_its_exit_code(head: Head, config: Path, tmp_path: Path) -> None:
    said = head.call("submit", "build", config, "data.source=gone", "--run", tmp_path / "run")

    assert said.returncode == 2, said
    assert "no such file or folder" in said.stdout
    assert "failed, exit code 2" in said.stdout


def test_a_job_is_left_listed_defended_and_stopped(
    head: Head, config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    submit = ("submit", "build", config, "recipes.cnn.phases=[{epochs: 5000, lr: 1e-3}]")

    said = head.call(*submit, "--run", run, "--job-id", "long", "--detach")

    assert said.returncode == 0, said
    assert f"raymed logs --follow long --address {head.address}" in said.stdout
    wait_for("the build's first stage", lambda: (run / "experiment.yaml").exists())
    again = head.call(*submit, "--run", run)
    assert again.returncode == 2
    assert f"{run}: the job long (build, running) works on this folder" in again.stderr
    listed = head.call("jobs").stdout
    assert next(line for line in listed.splitlines() if "long" in line).split()[1:4] == [
        *("build", "scans", "running")
    ]
    stopped = head.call("stop", "long")
    assert stopped.returncode == 0, stopped
    assert "job long: stopped" in stopped.stdout
    assert head.call("logs", "long", "--follow").returncode == 130
    assert "stopped" in head.call("jobs").stdout


def test_the_doctor_looks_from_outside_and_then_as_a_job_that_is_forgotten(
    head: Head, config: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"

    said = head.call("doctor", config, "--run", run, "--json")

    found = json.loads(said.stdout)
    told = "\n".join(f"{each['place']}: {each['fault']}" for each in found["findings"])
    assert (said.returncode, found["errors"], len(found["nodes"])) == (0, 0, 1), told
    assert f"{head.address}: answers, and refuses who has no token" in told
    assert "asks for a token" in told
    assert f"{run}: was written from every node" in told
    assert f"data.source: {tmp_path / 'scans'} is readable" in told
    assert not run.exists()
    assert " doctor " not in head.call("jobs").stdout
    assert head.environment["RAY_AUTH_TOKEN"] not in said.stdout + said.stderr


def test_what_the_cluster_can_never_give_is_refused_before_a_job(
    head: Head, config: Path, tmp_path: Path
) -> None:
    run = ("--run", tmp_path / "run", "--job-id", "never")

    said = head.call("submit", "build", config, "recipes.cnn.workers=5", *run)

    assert said.returncode == 2, said
    assert "recipes.cnn.workers: 5 processes a unit, nodes have room for" in said.stderr
    assert "never" not in head.call("jobs").stdout


def test_a_doctor_that_cannot_run_there_says_what_the_job_said(head: Head) -> None:
    said = head.call("doctor", "--python", "no-such-python")

    assert said.returncode == 2, said
    assert "its doctor's job told nothing (failed, exit code 127" in said.stdout
    assert "no-such-python" in said.stdout
    assert "--python names the interpreter" in said.stdout


def test_a_job_that_nobody_knows(head: Head) -> None:
    for verb in ("logs", "stop"):
        said = head.call(verb, "nobody")
        assert said.returncode == 2, said
        assert f"nobody: no such job at {head.address}" in said.stderr


def test_a_wrong_token_is_refused_and_not_told(head: Head) -> None:
    said = head.call("jobs", RAY_AUTH_TOKEN="f" * 64)

    assert said.returncode == 2, said
    assert "wants a token that this client does not have" in said.stderr
    assert "f" * 64 not in said.stdout + said.stderr


@pytest.mark.parametrize("mode", ["token", "disabled"])
def test_without_a_token_nobody_is_let_in(head: Head, tmp_path: Path, mode: str) -> None:
    bare = {key: value for key, value in head.environment.items() if key != "RAY_AUTH_TOKEN"}

    said = Head(head.address, bare).call("jobs", RAY_AUTH_MODE=mode, HOME=str(tmp_path))

    assert said.returncode == 2, said
    assert "wants a token that this client does not have" in said.stderr
    assert "Traceback" not in said.stderr
