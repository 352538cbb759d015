"""Status tells what is done, running, failed and left, while a build runs and after it died."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from raymed.config import Experiment
from raymed.errors import InputError
from raymed.files import write_json
from raymed.pipeline.board import BOARD, Board, Cell, NodeAtWork, Row, nodes_at_work, seconds_left
from raymed.pipeline.build import build_events
from raymed.pipeline.events import Training
from raymed.pipeline.recording import take
from raymed.pipeline.status import progress_file, read_status
from raymed.runs import FOLD_FILES, RunFolder
from raymed.training import Progress

RUNNING = Cell("running", since=100, at=110, first=0, step=20, steps=80)


def board(**rows: list[Cell]) -> Board:
    members = [
        Row(name, f"id-{name}", {f"fold {fold}": cell for fold, cell in enumerate(cells)})
        for name, cells in rows.items()
    ]
    return Board("toy", stage="training", members=members)


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    return RunFolder.at(tmp_path / "run")


def begin(run: RunFolder, told: Board) -> None:
    write_json(progress_file(run), BOARD.dump_python(told, mode="json"))


def finish(run: RunFolder, member: str, fold: int) -> None:
    folder = run.member(member)
    attempt = folder.start_attempt(fold)
    for name in FOLD_FILES:
        (attempt / name).write_text(name)
    folder.finish_fold(fold, attempt, seconds=12.0)


def states(run: RunFolder, member: str) -> list[str]:
    return [cell.state for cell in read_status(run.path).board.row(member).cells.values()]


def test_a_folder_that_no_build_has_begun_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run folder"):
        read_status(tmp_path)
    with pytest.raises(InputError, match="is not a run folder"):
        read_status(tmp_path / "nowhere")


def test_before_the_plan_the_stage_is_told(run: RunFolder) -> None:
    begin(run, Board("toy", stage="opening every image", done=100, total=700))

    status = read_status(run.path)

    assert (status.state, status.board.stage) == ("stopped", "opening every image")
    assert status.left is None


def test_markers_are_the_truth_of_what_is_done_and_failed_in_a_dead_build(run: RunFolder) -> None:
    """Fold 0 ended and fold 1 failed after the last word of the build; 2 was at work."""
    begin(run, board(cnn=[RUNNING, RUNNING, RUNNING, Cell()]))
    finish(run, "id-cnn", 0)
    run.member("id-cnn").record_failure(1, "ValueError: no", "trace")

    assert states(run, "cnn") == ["done", "failed", "interrupted", "waiting"]
    cells = read_status(run.path).board.row("cnn").cells
    assert (cells["fold 0"].seconds, cells["fold 1"].reason) == (12.0, "ValueError: no")


def test_a_fold_whose_folder_was_deleted_is_left(run: RunFolder) -> None:
    begin(run, board(cnn=[Cell("done", seconds=3)]))

    assert states(run, "cnn") == ["waiting"]


def test_markers_of_a_member_below_the_run_folder_are_found_there(run: RunFolder) -> None:
    told = board(cnn=[Cell(), Cell()])
    told.members[0].below = "evaluations/sites"
    begin(run, told)
    finish(run, "id-cnn", 0)
    finish(RunFolder(run.path / "evaluations/sites"), "id-cnn", 1)

    assert states(run, "cnn") == ["waiting", "done"]


def test_a_build_at_work_tries_earlier_failures_again(run: RunFolder) -> None:
    begin(run, board(cnn=[RUNNING, Cell()]))
    for fold in (0, 1):
        run.member("id-cnn").record_failure(fold, "ValueError: earlier", "trace")

    with run.lock():
        assert states(run, "cnn") == ["running", "waiting"]
        assert read_status(run.path).state == "running"
    assert states(run, "cnn") == ["failed", "failed"]


def test_asking_takes_the_lock_from_nobody(run: RunFolder) -> None:
    begin(run, board(cnn=[Cell()]))
    with run.lock():
        holder = read_status(run.path).holder
        assert holder is not None
        assert str(os.getpid()) in holder
        with pytest.raises(InputError, match="another build"), run.lock():
            pass
    assert read_status(run.path).holder is None
    with run.lock():
        pass


def test_a_read_only_folder_can_be_asked(run: RunFolder) -> None:
    begin(run, board(cnn=[Cell()]))
    with run.lock():
        pass
    before = {path: path.stat().st_mtime_ns for path in run.path.rglob("*")}
    run.path.chmod(0o500)
    (run.path / ".lock").chmod(0o400)
    try:
        assert states(run, "cnn") == ["waiting"]
    finally:
        run.path.chmod(0o700)
    assert {path: path.stat().st_mtime_ns for path in run.path.rglob("*")} == before


def test_a_broken_progress_file_is_named(run: RunFolder) -> None:
    write_json(progress_file(run), {"members": 3})

    with pytest.raises(InputError, match=r"progress\.json: members: Input should be"):
        read_status(run.path)


def test_time_left_prefers_finished_folds_of_the_same_member() -> None:
    """One fold waits at 30 s, one is a quarter done: 30 + 0.75 * 30."""
    told = board(cnn=[Cell("done", seconds=30), RUNNING, Cell()], vit=[Cell("done", seconds=99)])

    assert seconds_left(told) == pytest.approx(52.5)


def test_time_left_falls_back_to_own_speed_then_to_other_members() -> None:
    """20 of 80 steps took 10 s: 40 s a fold, 30 left, and 40 for the other member's fold."""
    told = board(cnn=[RUNNING], vit=[Cell()])

    assert seconds_left(told) == pytest.approx(70)
    told.workers = 2
    assert seconds_left(told) == pytest.approx(40)  # the longest unit, not 35


def test_steps_of_an_earlier_attempt_are_no_speed() -> None:
    """Resumed at step 40; 20 steps took 10 s, so 80 take 40 s, and a quarter is left."""
    resumed = Cell("running", since=100, at=110, first=40, step=60, steps=80)

    assert seconds_left(board(cnn=[resumed])) == pytest.approx(10)


def test_a_node_tells_what_its_running_units_said_last_and_nothing_that_none_said() -> None:
    def at(node: str | None, **said: float) -> Cell:
        return replace(RUNNING, node=node, **said)

    told = board(
        cnn=[at("10.0.0.2", speed=300.0, busy=0.8), at("10.0.0.2", speed=100.0, busy=0.9)],
        vit=[at("10.0.0.1"), at(None, speed=9.0), Cell("done", node="10.0.0.3", speed=5.0)],
    )

    first, second = nodes_at_work(told)
    assert first == NodeAtWork("10.0.0.1", 1)
    assert (second.node, second.units, second.speed) == ("10.0.0.2", 2, 400.0)
    assert second.busy == pytest.approx(0.85)


def test_the_board_keeps_the_last_speed_of_a_unit_where_a_report_has_none() -> None:
    """At an epoch's end no speed is told."""
    told = board(cnn=[Cell()])
    for step, speed in ((1, 50.0), (2, None)):
        said = Progress(step, 9, images_per_second=speed, node="10.0.0.1", gpu_busy=0.5)
        take(told, Training("cnn", "fold 0", said))

    assert nodes_at_work(told) == [NodeAtWork("10.0.0.1", 1, 50.0, 0.5)]


def test_time_left_is_unknown_before_anything_was_measured() -> None:
    assert seconds_left(board(cnn=[Cell()])) is None
    assert seconds_left(board(cnn=[Cell("done", seconds=1)])) == 0


def test_folds_of_a_failed_member_are_left_only_for_the_next_build() -> None:
    told = board(cnn=[Cell("failed"), Cell()], vit=[Cell("done", seconds=10)])

    assert seconds_left(told) == 0
    assert seconds_left(told, failed_too=True) == pytest.approx(20)


@pytest.mark.slow
def test_a_real_build_is_told_while_it_runs_after_it_stopped_and_when_it_is_complete(
    make: Callable[..., Experiment], tmp_path: Path
) -> None:
    experiment = make("seed=11")
    folder = tmp_path / "run"
    seen: list[Any] = []
    events = build_events(experiment, folder)
    for event in events:
        if isinstance(event, Training):
            seen.append(read_status(folder))
            if any(status.board.count("done") for status in seen):
                break
    events.close()

    assert {status.state for status in seen} == {"running"}
    assert any(status.board.count("running") for status in seen)
    assert [row.name for row in seen[0].board.members] == ["cnn", "probe"]
    assert "features" in seen[0].board.row("probe").cells
    stopped = read_status(folder)
    assert stopped.state == "stopped"
    assert stopped.board.count("running") == 0
    assert stopped.board.count("done") >= 1

    for _ in build_events(experiment, folder):
        pass

    complete = read_status(folder)
    assert complete.state == "complete"
    assert (complete.left, complete.board.count("waiting")) == (0, 0)
