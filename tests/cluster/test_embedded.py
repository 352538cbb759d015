"""The embedded Ray and its engines: reports come as they happen, failures come as values."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from raymed.cluster.embedded import embedded_ray
from raymed.cluster.session import SETTINGS
from raymed.errors import InputError, TrainingError
from raymed.training import Progress


@dataclass(frozen=True)
class Toy:
    """Work that counts to three, or goes wrong in a chosen way."""

    name: str
    fault: str = ""
    workers: int = 1
    fewest: int = 1

    def work(self, checkpoint: Path | None = None) -> Generator[Progress, None, str]:
        import torch

        for step in range(3):
            yield Progress(step + 1, 3, images_per_second=torch.get_num_threads())
        if self.fault == "raise":
            raise TrainingError("the loss became nan")
        if self.fault == "tell":
            raise TrainingError(f"process {os.getpid()}")
        if self.fault == "bug":
            raise KeyError("forgotten")
        if self.name == "process":
            return f"process {os.getpid()}"
        if self.name == "where":
            import raymed

            return f"{sys.executable} {raymed.__file__}"
        return f"{self.name} is done"


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A running embedded Ray, two processors, a GPU by word; yields where its logs will go."""
    import ray  # before the settings, as in a program that uses Ray itself

    folder = tmp_path_factory.mktemp("log")
    environment = {name: os.environ.get(name) for name in SETTINGS}
    with embedded_ray(2, 1, folder):
        ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])
        yield folder
    assert {name: os.environ.get(name) for name in SETTINGS} == environment
    assert not ray.is_initialized()
    assert not (Path(tempfile.gettempdir()) / f"raymed-{os.getpid()}").exists()
    assert list(folder.glob("raylet*"))


@pytest.fixture(scope="module", params=["workers", pytest.param("train", marks=pytest.mark.slow)])
def events(session: Path, request: pytest.FixtureRequest) -> list[Any]:
    """What an engine says of its units: two go wrong, one waits for the first, one is given up."""
    from raymed.cluster import Finished, run_units, start_engine

    late = ("waits", "dropped")
    units = [
        Toy("first"),
        Toy("waits"),
        Toy("raises", fault="raise"),
        Toy("bug", fault="bug"),
        Toy("free"),
        Toy("where"),
        Toy("dropped"),
    ]
    said: list[Any] = []
    for event in run_units(
        units,
        start_engine(request.param, 2, 0, session / "scratch"),
        ready=lambda unit: unit.name not in late or ended(said, "first", Finished),
        wanted=lambda unit: unit.name != "dropped" or not ended(said, "first", Finished),
    ):
        said.append(event)
    return said


def ended(said: list[Any], name: str, kind: type) -> bool:
    return any(isinstance(event, kind) and event.unit.name == name for event in said)


def of(events: list[Any], name: str) -> list[Any]:
    return [event for event in events if event.unit.name == name]


def test_every_report_of_a_unit_arrives_and_then_its_end(events: list[Any]) -> None:
    for name in ("first", "free", "waits"):
        kinds = [type(event).__name__ for event in of(events, name)]
        assert kinds == ["Reported", "Reported", "Reported", "Finished"]
        assert [event.progress.step for event in of(events, name)[:3]] == [1, 2, 3]
        assert of(events, name)[-1].result == f"{name} is done"


def test_a_unit_works_with_one_thread(events: list[Any]) -> None:
    assert {event.progress.images_per_second for event in of(events, "free")[:3]} == {1}


@pytest.mark.parametrize(("gpus", "again"), [(0, True), (1, False)])
def test_a_process_whose_unit_failed_on_a_gpu_is_not_used_again(
    session: Path, gpus: int, again: bool
) -> None:
    """A fault of CUDA stays with its process, and would be that of every unit after it."""
    from raymed.cluster import Failed, Finished, run_units, start_engine

    engine = start_engine("workers", 1, gpus, session / "scratch")
    units = [Toy("fails", fault="tell"), Toy("process")]
    ends = [end for end in run_units(units, engine) if isinstance(end, Failed | Finished)]
    failed, finished = ends
    assert isinstance(failed, Failed)
    assert isinstance(finished, Finished)
    assert (failed.reason == finished.result) is again


def test_a_worker_runs_the_drivers_own_interpreter_and_code(events: list[Any]) -> None:
    """Also under `uv run`, where Ray would pack the folder and build an environment of its own."""
    import raymed

    assert of(events, "where")[-1].result == f"{sys.executable} {raymed.__file__}"


def test_a_unit_that_raises_fails_alone_with_its_reason_and_trace(events: list[Any]) -> None:
    assert of(events, "raises")[-1].reason == "the loss became nan"
    assert of(events, "bug")[-1].reason == "KeyError: 'forgotten'"
    assert "Traceback" in of(events, "bug")[-1].trace


def test_a_unit_that_is_not_wanted_any_more_does_not_start(events: list[Any]) -> None:
    assert of(events, "dropped") == []


def test_a_unit_starts_only_when_it_is_ready(events: list[Any]) -> None:
    assert events.index(of(events, "waits")[0]) > events.index(of(events, "first")[-1])


@pytest.mark.usefixtures("session")
def test_a_process_that_is_connected_already_is_refused(tmp_path: Path) -> None:
    with (
        pytest.raises(InputError, match="connected to a Ray already"),
        embedded_ray(1, 0, tmp_path),
    ):
        pass


@pytest.mark.usefixtures("session")
def test_the_running_ray_asks_for_a_token() -> None:
    from ray._private.authentication.authentication_utils import is_token_auth_enabled

    assert is_token_auth_enabled()


def test_the_token_that_ray_leaves_for_all_to_read_becomes_ours_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from raymed.cluster.embedded import _hide_token

    monkeypatch.setenv("HOME", str(tmp_path))
    token = tmp_path / ".ray" / "auth_token"
    token.parent.mkdir()
    token.write_text("secret")
    token.chmod(0o644)

    _hide_token()

    assert token.stat().st_mode & 0o777 == 0o600


def test_what_a_killed_build_left_is_ended_and_removed_and_a_living_ones_kept() -> None:
    from raymed.cluster.embedded import _remove_leftovers

    dead = Path(tempfile.gettempdir()) / "raymed-999999999"
    living = Path(tempfile.gettempdir()) / f"raymed-{os.getppid()}"
    dead.mkdir(exist_ok=True)
    made = not living.exists()
    living.mkdir(exist_ok=True)
    orphan, other = (
        subprocess.Popen(["sleep", "60"], env={"RAYMED_SESSION": str(folder)})
        for folder in (dead, living)
    )

    _remove_leftovers()

    assert orphan.wait(timeout=10) == -signal.SIGKILL
    assert other.poll() is None
    other.kill()
    other.wait()
    assert not dead.exists()
    assert living.exists()
    if made:
        living.rmdir()


GARBAGE = """
import gc, sys, threading
from pathlib import Path
from raymed.cluster.embedded import embedded_ray

class Cycle:
    pass

with embedded_ray(1, 0, Path(sys.argv[1])):
    import ray
    gc.disable()  # the thread collects, and nobody else
    for _ in range(20_000):  # it takes a while to free them
        cycle = Cycle()
        cycle.itself, cycle.object = cycle, ray.put(1)
    threading.Timer(0.01, gc.collect).start()
print("went on")
"""


@pytest.mark.slow
def test_garbage_that_another_thread_collects_while_ray_ends_does_not_end_the_process(
    tmp_path: Path,
) -> None:
    told = subprocess.run(
        [sys.executable, "-c", GARBAGE, str(tmp_path)], capture_output=True, text=True, timeout=120
    )

    assert (told.returncode, told.stdout) == (0, "went on\n"), told.stderr
