"""A build that was killed continues, and comes out the same."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from raymed.errors import BuildError
from raymed.files import complete
from raymed.pipeline.build import Built, build, build_events
from raymed.pipeline.events import MemberFailed, Stage, Training

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
    return [int(pid) for pid, _, command in rows if int(pid) in ours and "_Worker" in command]


def markers(run: Path) -> list[Path]:
    return sorted(run.glob("members/*/fold-*/DONE.json"))


def test_stopped_in_the_middle_and_built_again_gives_the_same_bits(
    built: Built, make: Any, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    events = build_events(make("cluster.workers=1"), run)
    for event in events:
        if isinstance(event, Training) and event.ended and event.part == "fold 0":
            events.close()
    done = markers(run)
    stamps = [path.stat().st_mtime_ns for path in done]
    assert 0 < len(done) < 4

    again = build(make(), run)

    assert again.run.oof_file.read_bytes() == built.run.oof_file.read_bytes()
    assert [path.stat().st_mtime_ns for path in done] == stamps  # nothing finished is done twice


def test_a_killed_driver_leaves_a_folder_that_continues(
    built: Built, config_file: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    command = [RAYMED, "build", str(config_file), "--run", str(run)]
    first = subprocess.Popen(command, start_new_session=True)
    deadline = time.monotonic() + 120
    while not markers(run) and first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()

    second = subprocess.run(command, capture_output=True, text=True, check=False, timeout=240)

    assert second.returncode == 0, second.stderr
    assert (run / "oof.arrow").read_bytes() == built.run.oof_file.read_bytes()


def test_a_worker_that_dies_is_replaced_and_its_unit_tried_again(
    built: Built, make: Any, tmp_path: Path
) -> None:
    events = build_events(make("cluster.workers=1"), tmp_path / "run")
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
    assert again.run.oof_file.read_bytes() == built.run.oof_file.read_bytes()


def test_a_nan_loss_fails_that_member_only(make: Any, tmp_path: Path) -> None:
    bad = "recipes.bad={model: test_vit, optimizer: {clip: null}, phases: [{epochs: 2, lr: 1e30}]}"
    events = build_events(make(bad), tmp_path / "run")
    failures = []
    while True:
        try:
            event = next(events)
        except StopIteration as end:
            result = end.value
            break
        if isinstance(event, MemberFailed):
            failures.append(event)

    assert {event.member for event in failures} == {"bad"}
    assert list(result.failed) == ["bad"]
    assert "the loss became" in result.failed["bad"]
    assert [row["name"] for row in result.metrics["rows"] if row["kind"] == "member"] == [
        "cnn",
        "probe",
    ]
    assert result.metrics["failed"][0]["name"] == "bad"
    assert any(complete(path) for path in (tmp_path / "run" / "members").iterdir())


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
