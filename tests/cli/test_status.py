"""`raymed status` and the table of members and folds."""

import io
import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from raymed.cli.grid import duration, grid, time_line
from raymed.cli.status import show_status
from raymed.files import write_json
from raymed.pipeline.board import BOARD, Board, Cell, Row
from raymed.pipeline.status import Status
from raymed.pipeline.tally import Standing, Tally
from raymed.runs import RunFolder

Call = Callable[..., Any]

RUNNING = Cell("running", since=0, at=9, step=30, steps=60, epoch=2, epochs=5, loss=0.693)


def board(folds: int = 4) -> Board:
    cells = [Cell("done", seconds=200), RUNNING, Cell("failed", reason="no [loss]"), Cell()]
    row = {f"fold {fold}": cells[fold % 4] for fold in range(folds)}
    probe = {"features": Cell("done", seconds=5), **dict.fromkeys(row, Cell())}
    members = [Row("a-name-that-goes-on-and-on-and-on", "1", row), Row("probe", "2", probe)]
    return Board("toy", started=1, updated=61, stage="training", done=1, total=9, members=members)


def drawn(told: Board, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, force_terminal=False)
    console.print(grid(told, console))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


@pytest.fixture
def run(tmp_path: Path) -> Path:
    write_json(tmp_path / "progress.json", BOARD.dump_python(board(), mode="json"))
    write_json(tmp_path / "members/1/fold-2/FAILED.json", {"reason": "no [loss]"})
    return tmp_path


def test_the_status_of_a_search_tells_its_best_trials_and_its_budget(
    raymed: Call, tmp_path: Path
) -> None:
    leading = (Standing(6, 0.6123, {"sam.rho": 0.0212}), Standing(0, 0.64, {"sam.rho": 0.05}))
    tally = Tally(61, 7, 4, 1, best=(6, 0.6123), leading=leading, trials_budget=20)
    told = BOARD.dump_python(replace(board(), tally=tally), mode="json")
    write_json(tmp_path / "progress.json", told)

    said = raymed("status", tmp_path)

    assert said.code == 0
    assert "best: trial 6, log loss 0.6123" in said.out
    assert "12 of 20 trials: 7 complete, 4 stopped early, 1 failed" in said.out
    table = [line.split() for line in said.out.splitlines() if line.startswith("│")]
    assert [row[1:6:2] for row in table] == [["6", "0.6123", "0.0212"], ["0", "0.6400", "0.05"]]


def test_status_tells_counts_the_first_exception_and_the_remedy(raymed: Call, run: Path) -> None:
    said = raymed("status", run)

    assert said.code == 0
    assert "toy: stopped" in said.out
    assert "stopped at stage: training 1/9" in said.out
    assert "1m00s elapsed" in said.out
    assert "1 done, 0 running, 1 failed, 1 interrupted, 6 left" in said.out
    assert "fold 2: no [loss]" in said.out
    assert "raymed build again continues" in said.out


def test_a_running_build_tells_what_its_nodes_do(tmp_path: Path) -> None:
    told = board(2)
    cells = told.members[0].cells
    cells["fold 0"] = replace(RUNNING, node="10.0.0.1", speed=1234.4, busy=0.87)
    cells["fold 1"] = replace(RUNNING, node="10.0.0.2")
    console = Console(file=io.StringIO(), width=100, force_terminal=False)

    show_status(Status(RunFolder(tmp_path), told, "process 1"), console)

    assert isinstance(console.file, io.StringIO)
    lines = console.file.getvalue().splitlines()
    assert "on 10.0.0.1: 1 unit, 1,234 images/s, GPU 87% busy" in lines
    assert "on 10.0.0.2: 1 unit" in lines


def test_status_as_json_says_the_same(raymed: Call, run: Path) -> None:
    facts = json.loads(raymed("status", run, "--json").out)

    assert (facts["state"], facts["holder"]) == ("stopped", None)
    assert facts["counts"]["interrupted"] == 1
    assert facts["members"][0]["cells"]["fold 2"]["reason"] == "no [loss]"


def test_a_folder_not_begun_ends_with_code_2(raymed: Call, tmp_path: Path) -> None:
    said = raymed("status", tmp_path)

    assert said.code == 2
    assert "is not a run folder" in said.err


def test_cells_say_epoch_and_loss_where_there_is_room() -> None:
    text = drawn(board(), 120)

    for words in ("fold 3", "features", "epoch 2/5 .693", "3m20s", "failed", "·"):
        assert words in text


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("folds", [2, 5, 12, 30])
def test_no_line_is_wider_than_the_terminal_and_no_fold_is_lost(width: int, folds: int) -> None:
    text = drawn(board(folds), width)

    assert max(map(len, text.splitlines())) <= width
    finished = sum(fold % 4 == 0 for fold in range(folds))
    assert text.count("3m20s") + text.count("✓") - text.count("5s") >= finished - 1
    assert "…" not in text.replace("a-name-that-goes-on…", "")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(8.4, "8s"), (200, "3m20s"), (7500, "2h05m"), (4 * 86400 + 3 * 3600, "4d03h")],
)
def test_durations_are_short(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("left", "words"),
    [
        (None, "time left unknown"),
        (25.2, "about 25s of training left"),
        (0.0, "no training left"),  # the stack, figures and the report come yet
    ],
)
def test_the_time_left_is_that_of_training(left: float | None, words: str) -> None:
    assert time_line(63, left) == f"1m03s elapsed, {words}"


def test_what_a_search_does_after_its_budget_is_of_unknown_length(tmp_path: Path) -> None:
    spent = Tally(at=1, complete=2, trained=60, trials_budget=2)
    told = replace(board(), tally=spent)

    assert Status(RunFolder(tmp_path), told, "process 7").left is None


def test_status_loads_neither_torch_nor_ray(run: Path) -> None:
    code = (
        "import sys\n"
        "from typer.testing import CliRunner\n"
        "from raymed.cli import app\n"
        f"assert CliRunner().invoke(app, ['status', {str(run)!r}]).exit_code == 0\n"
        "sys.exit('torch' in sys.modules or 'ray' in sys.modules)"
    )

    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
