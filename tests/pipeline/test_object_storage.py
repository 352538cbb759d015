"""Run folders in an object store: killed and continued elsewhere, disturbed, fought over."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from raymed.config import Experiment
from raymed.errors import InputError
from raymed.pipeline import held
from raymed.pipeline.build import Built, build
from raymed.pipeline.status import read_status
from raymed.pipeline.tune import tune, with_trials
from raymed.runs import RunFolder
from raymed.runs.store import RunStore
from tests.stores import Headers, proxy_before

Make = Callable[..., Experiment]

pytestmark = pytest.mark.slow
URL = "s3://ward/runs/tiny"
LEASE_SECONDS = 4.0

DRIVER = f"""
import sys
from raymed.pipeline import held
held.SECONDS = {LEASE_SECONDS}
from raymed.cli import main
sys.argv[0] = "raymed"
main()
"""


@pytest.fixture(autouse=True)
def short_leases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases of seconds, here and in the drivers that tests start."""
    monkeypatch.setattr(held, "SECONDS", LEASE_SECONDS)


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Go on as on another machine: with a cache of its own."""

    def move(name: str) -> None:
        monkeypatch.setenv("RAYMED_CACHE", str(tmp_path / name))

    return move


@contextmanager
def driver(config: Path, cache: Path, errors: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A build in a process of its own, which nothing outlives."""
    with errors.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-c", DRIVER, "build", str(config), "--run", URL],
            env={**os.environ, "RAYMED_CACHE": str(cache)},
            stdout=subprocess.DEVNULL,
            stderr=file,
        )
        try:
            yield process
        finally:
            process.kill()
            process.wait()


def markers(store: RunStore) -> dict[str, bytes]:
    """What marks each fold in the store."""
    return {n: store.read(n) for n in store.list() if n.endswith("/DONE.json") and "fold-" in n}


def wait_for_a_fold(store: RunStore) -> dict[str, bytes]:
    deadline = time.monotonic() + 200
    while not (found := markers(store)):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    return found


def rows(url: str) -> bytes:
    return RunStore.at(url).read("oof.arrow")


def test_a_killed_build_goes_on_elsewhere_to_the_same_bits_and_repeats_nothing(
    built: Built,
    make: Make,
    config_file: Path,
    s3: Any,
    tmp_path: Path,
    elsewhere: Callable[[str], None],
) -> None:
    store = RunStore.at(URL)
    with driver(config_file, tmp_path / "here", tmp_path / "said") as process:
        done = wait_for_a_fold(store)
        process.send_signal(signal.SIGKILL)

    elsewhere("there")
    assert read_status(URL).board.count("done") >= len(done) - 1
    again = build(make(), URL)

    assert rows(URL) == built.run.oof_file.read_bytes()
    after = markers(store)
    assert {name: after[name] for name in done} == done
    assert not any("/scratch/" in name for name in store.list())
    kept = {name.rsplit("/", 2)[1] for name in store.list() if name.endswith("state.json")}
    assert kept == {json.loads(content)["attempt"] for content in after.values()}

    elsewhere("a laptop")
    status = read_status(URL)
    assert (status.state, status.holder) == ("complete", None)
    assert not list(RunFolder.at(URL).path.rglob("*.safetensors"))  # to look at it takes little
    laptop = RunFolder.existing(URL)
    assert laptop.report_file.read_bytes() == again.run.report_file.read_bytes()
    assert len(list(laptop.path.rglob("checkpoint.safetensors"))) == len(after)


def test_a_store_that_fails_for_a_while_changes_no_bit(
    built: Built, make: Make, s3: Any, s3_endpoint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = [0.0]

    def rule(method: str, path: str, headers: Headers) -> int | None:
        if method == "PUT" and "/fold-" in path and not broken[0]:
            broken[0] = time.monotonic()  # the first attempt is being stored
        if time.monotonic() - broken[0] < 6:
            return 503
        time.sleep(0.02)
        return None

    with proxy_before(s3_endpoint) as proxy:
        proxy.rule = rule
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.address)
        build(make(), "s3://ward/runs/disturbed")

    assert broken[0]
    assert rows("s3://ward/runs/disturbed") == built.run.oof_file.read_bytes()


def test_a_driver_that_stood_still_is_replaced_and_nothing_it_writes_counts(
    built: Built,
    make: Make,
    config_file: Path,
    s3: Any,
    tmp_path: Path,
    elsewhere: Callable[[str], None],
) -> None:
    store = RunStore.at(URL)
    elsewhere("there")
    with driver(config_file, tmp_path / "here", tmp_path / "said") as zombie:
        done = wait_for_a_fold(store)
        with pytest.raises(InputError, match=f"another build works on this.*process {zombie.pid}"):
            build(make(), URL)

        zombie.send_signal(signal.SIGSTOP)  # its workers go on
        build(make(), URL)
        counted = markers(store)
        zombie.send_signal(signal.SIGCONT)
        assert zombie.wait(120) == 2

    assert "another build has taken this folder over" in (tmp_path / "said").read_text()
    assert markers(store) == counted
    assert {name: counted[name] for name in done} == done
    assert rows(URL) == built.run.oof_file.read_bytes()


def test_a_study_goes_on_elsewhere_and_its_trials_are_stacked_there(
    make: Make, s3: Any, elsewhere: Callable[[str], None]
) -> None:
    space = "search.space={phases: [{lr: {low: 5e-4, high: 5e-3, log: true}}]}"

    def asked(trials: int) -> Experiment:
        return make(space, f"search.trials={trials}", "search.pruner=none", "search.recipe=cnn")

    elsewhere("here")
    first = tune(asked(1), URL)
    done = markers(RunStore.at(URL))
    elsewhere("there")
    both = tune(asked(2), URL)

    ended = [trial.number for trial in both.trials if trial.state.is_finished()]
    assert ended == [0, 1]  # points that are known to be good wait for their turn
    assert both.trials[0].value == first.trials[0].value
    after = markers(RunStore.at(URL))
    assert {name: after[name] for name in done} == done
    elsewhere("a third")
    stacked = build(with_trials(asked(2), RunFolder.at(URL), 2), URL)
    assert {row["name"] for row in stacked.metrics["rows"]} >= {"trial-0", "trial-1"}
    assert markers(RunStore.at(URL)) == after
