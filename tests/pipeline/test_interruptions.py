"""A build that was killed continues, and comes out the same."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from raymed.data import Folds, Manifest
from raymed.errors import BuildError
from raymed.pipeline.build import Built, build, build_events
from raymed.pipeline.events import Stage, Training
from raymed.pipeline.members import plan_members
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.units import fold_units
from raymed.runs import RunFolder
from tests.disks import tiny_disk

Processes = Callable[[int], list[int]]

RAYMED = str(Path(sys.executable).with_name("raymed"))


def own_workers() -> list[int]:
    """Processes that work on units and descend from this one."""
    listed = subprocess.run(
        ["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True
    )
    rows = [line.split(None, 2) for line in listed.stdout.splitlines()]
    children: dict[int, list[int]] = {}
    for pid, parent, _ in rows:
        children.setdefault(int(parent), []).append(int(pid))
    ours, left = set(), [os.getpid()]
    while left:
        for child in children.get(left.pop(), []):
            ours.add(child)
            left.append(child)
    return [
        int(pid)
        for pid, _, command in rows
        if int(pid) in ours and re.search("_Worker|RayTrainWorker", command)
    ]


def markers(run: Path) -> list[Path]:
    return sorted(run.glob("members/*/fold-*/DONE.json"))


def test_alone_backwards_and_stopped_in_the_middle_it_gives_the_same_bits(
    built: Built, make: Any, tmp_path: Path, backwards: list[Any]
) -> None:
    """One worker instead of two, units in another order, and the same command again."""
    run, alone = tmp_path / "run", make("cluster.workers=1")
    events = build_events(alone, run)
    for event in events:
        if isinstance(event, Training) and event.ended and event.part == "fold 0":
            events.close()
    done = markers(run)
    stamps = [path.stat().st_mtime_ns for path in done]
    assert 0 < len(done) < 4

    again = build(alone, run)

    assert len(set(backwards)) == 4
    assert again.run.oof_file.read_bytes() == built.run.oof_file.read_bytes()
    assert [path.stat().st_mtime_ns for path in done] == stamps  # nothing finished is done twice


@pytest.fixture(params=["workers", "train"])
def engine(request: pytest.FixtureRequest, only_cnn: str) -> tuple[list[str], Built]:
    """Overrides for an engine, and the undisturbed build; folds are left when one is complete."""
    name = request.param
    overrides = [f"cluster.engine={name}"]
    overrides += [only_cnn, "cluster.workers=1"] if name == "train" else []
    built: Built = request.getfixturevalue("built_cnn" if name == "train" else "built")
    return overrides, built


@pytest.mark.slow
def test_a_driver_killed_alone_leaves_a_folder_that_continues_and_no_orphans(
    engine: tuple[list[str], Built], config_file: Path, tmp_path: Path, processes_of: Processes
) -> None:
    overrides, undisturbed = engine
    command = [RAYMED, "build", str(config_file), *overrides, "--run", str(tmp_path / "run")]

    continues_where_it_was_killed(command, undisturbed, processes_of, subprocess.Popen.kill)


@pytest.mark.slow
def test_a_driver_killed_with_its_children_leaves_a_folder_that_continues(
    built: Built, config_file: Path, tmp_path: Path, processes_of: Processes
) -> None:
    command = [RAYMED, "build", str(config_file), "--run", str(tmp_path / "run")]

    continues_where_it_was_killed(
        command, built, processes_of, lambda first: os.killpg(first.pid, signal.SIGKILL)
    )


def continues_where_it_was_killed(
    command: list[str],
    undisturbed: Built,
    processes_of: Processes,
    kill: Callable[[subprocess.Popen[bytes]], None],
) -> None:
    """Run a build, kill it after its first fold, and hold the same command's end to account."""
    run = Path(command[-1])
    first = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 120
    while not markers(run) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    kill(first)
    first.wait()
    done = {path: path.stat().st_mtime_ns for path in markers(run)}
    assert 0 < len(done) < len(markers(undisturbed.run.path))

    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as second:
        out, err = second.communicate(timeout=500)

    assert second.returncode == 0, err
    assert err == b""
    assert b"raylet" not in out  # Ray's chatter is in the log
    assert (run / "oof.arrow").read_bytes() == undisturbed.run.oof_file.read_bytes()
    assert done.items() <= {path: path.stat().st_mtime_ns for path in markers(run)}.items()
    assert processes_of(first.pid) + processes_of(second.pid) == []


def test_a_build_told_to_end_stops_cleanly(
    config_file: Path, tmp_path: Path, processes_of: Processes
) -> None:
    """Batch systems send SIGTERM before they kill."""
    run = tmp_path / "run"
    command = [RAYMED, "build", str(config_file), "--run", str(run)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120
    while not list(run.glob("members/*/fold-*")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.terminate()
    out, err = process.communicate(timeout=60)

    assert process.returncode == 130, err
    assert "the same command continues" in out
    assert err == ""
    assert processes_of(process.pid) == []


@pytest.mark.slow
def test_a_worker_that_dies_is_replaced_and_its_unit_tried_again(
    engine: tuple[list[str], Built], make: Any, tmp_path: Path
) -> None:
    overrides, undisturbed = engine
    events = build_events(make(*overrides), tmp_path / "run")
    killed = False
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            again = end.value
            break
        if isinstance(event, Training) and not event.ended and not killed:
            workers = own_workers()
            assert workers
            for worker in workers:
                os.kill(worker, signal.SIGKILL)
            killed = True

    assert killed
    assert not again.failed
    assert again.run.oof_file.read_bytes() == undisturbed.run.oof_file.read_bytes()


@pytest.mark.slow
def test_what_a_unit_writes_after_its_driver_died_never_counts(
    built: Built, make: Any, tmp_path: Path
) -> None:
    """Only the driver that holds the folder marks: a worker that outlives it cannot."""
    experiment, run = make("cluster.workers=1"), RunFolder.at(tmp_path / "run")
    events = build_events(experiment, run.path)
    for event in events:
        if isinstance(event, Training):
            break
    events.close()
    prepared = Prepared(Manifest.read(run.manifest_file), Folds.read(run.folds_file))
    members = plan_members(experiment, run, prepared)
    orphan = fold_units(experiment, run, members, prepared, "cpu")[0]
    for _ in orphan.work():
        pass
    assert markers(run.path) == []

    again = build(experiment, run.path)

    assert again.run.oof_file.read_bytes() == built.run.oof_file.read_bytes()


@pytest.fixture
def small_disk(built: Built, tmp_path: Path) -> Iterator[Path]:
    """A run folder whose member `cnn` lies on a disk of 64 kB, too small for its weights."""
    names = {row["name"]: row["id"] for row in built.metrics["rows"] if row["kind"] == "member"}
    with tiny_disk(tmp_path / "run" / "members" / names["cnn"], "64k"):
        yield tmp_path / "run"


@pytest.mark.slow
def test_a_full_disk_fails_that_member_with_that_word_and_harms_nothing(
    make: Any, small_disk: Path, built: Built
) -> None:
    result = build(make(), small_disk)

    assert list(result.failed) == ["cnn"]
    assert "the disk is full" in result.failed["cnn"]
    assert [row["name"] for row in result.metrics["rows"] if row["kind"] == "member"] == ["probe"]
    assert len(markers(small_disk)) == 2


@pytest.fixture
def full_disk(tmp_path: Path) -> Iterator[Path]:
    """A run folder on a disk of 40 kB."""
    with tiny_disk(tmp_path / "full", "40k"):
        yield tmp_path / "full" / "run"


@pytest.mark.slow
def test_a_disk_too_small_for_the_driver_ends_the_build_with_that_word_and_code_3(
    config_file: Path, full_disk: Path
) -> None:
    command = [RAYMED, "build", str(config_file), "--run", str(full_disk)]
    said = subprocess.run(command, capture_output=True, text=True, timeout=240, check=False)

    assert said.returncode == 3, said.stderr
    assert "the disk is full" in said.stderr
    assert "Traceback" not in said.stderr


@pytest.mark.slow
def test_too_few_members_end_the_build_with_their_reasons(make: Any, tmp_path: Path) -> None:
    experiment = make(
        "recipes={bad: {model: test_vit, optimizer: {clip: null}, phases: [{epochs: 3, lr: 1e30}]}}"
    )

    with pytest.raises(BuildError, match=r"0 of 1 members are complete, 1 are needed.*loss became"):
        build(experiment, tmp_path / "run")


def test_every_stage_is_announced(make: Any, tmp_path: Path, built: Built) -> None:
    names = [
        event.name for event in build_events(make(), built.run.path) if isinstance(event, Stage)
    ]

    assert names[0] == "building every model once"
    assert {"opening every image", "training", "writing the report"} <= set(names)
