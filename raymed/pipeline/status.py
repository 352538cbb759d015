"""`raymed status`: where a build stands, asked by another process or after it died.

Reads only, and loads neither torch nor Ray.
"""

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from raymed.errors import InputError
from raymed.files import read_json
from raymed.pipeline.board import (
    BOARD,
    FEATURES,
    STATES,
    Board,
    Cell,
    NodeAtWork,
    Row,
    nodes_at_work,
    seconds_left,
)
from raymed.runs import MemberFolder, RunFolder


@dataclass(frozen=True)
class Status:
    """Where a build stands. `holder` is the process that builds, None when none does."""

    run: RunFolder
    board: Board
    holder: str | None

    @property
    def state(self) -> str:
        """`running`, `complete`, or `stopped`."""
        if self.holder is not None:
            return "running"
        return "complete" if self.board.finished else "stopped"

    @property
    def now(self) -> float:
        """The time that it is told for: now while a process builds, else that of its last word."""
        return time.time() if self.holder is not None else self.board.updated

    @property
    def elapsed(self) -> float:
        """Seconds that the build has run, or ran until its last word."""
        return max(0.0, self.now - self.board.started)

    @property
    def left(self) -> float | None:
        """Seconds of training left, in the next build when none runs; None when unknown."""
        if self.board.tally is not None:
            return self.board.tally.left(self.now)
        if not self.board.members:
            return None
        return seconds_left(self.board, failed_too=self.holder is None)

    @property
    def nodes(self) -> list[NodeAtWork]:
        """What the nodes are doing that units run on now."""
        return nodes_at_work(self.board)

    def facts(self) -> dict[str, Any]:
        """Give everything as plain JSON."""
        return {
            "run": self.run.place,
            "state": self.state,
            "holder": self.holder,
            "elapsed_seconds": round(self.elapsed, 3),
            "seconds_left": None if self.left is None else round(self.left, 3),
            "counts": {state: self.board.count(state) for state in STATES},
            "nodes": [vars(node) for node in self.nodes],
            **BOARD.dump_python(self.board, mode="json"),
        }


def progress_file(run: RunFolder) -> Path:
    """Name the file that a build keeps its board in."""
    return run.path / "progress.json"


def read_board(run: RunFolder) -> Board | None:
    """Read the board that a build wrote last; None before the first."""
    file = progress_file(run)
    if not file.is_file():
        return None
    try:
        return BOARD.validate_python(read_json(file))
    except ValidationError as error:
        fault = error.errors()[0]
        place = ".".join(str(part) for part in fault["loc"])
        raise InputError(str(file), f"{place}: {fault['msg']}", "delete it, build again") from None


def read_status(path: Path | str) -> Status:
    """Ask where the build of a run folder stands.

    Markers say what is done and, when no build runs, what failed; the build's board says the
    rest. Checksums are not read: that is the build's work. Raises `InputError` for a folder that
    no build has begun.
    """
    run = RunFolder.at(path)
    run.bring(".json", ".yaml")
    holder = run.held_by()
    board = read_board(run)
    if board is None:
        if holder is None:
            RunFolder.existing(path)
        board = Board(name=run.path.name)
    for row in board.members:
        folder = member_folder(run, row)
        row.cells = {
            part: _cell(folder, part, cell, holder is not None) for part, cell in row.cells.items()
        }
    return Status(run, board, holder)


def member_folder(run: RunFolder, row: Row) -> MemberFolder:
    """Give the folder of a row's member."""
    return (run.below(row.below) if row.below else run).member(row.id)


def first_failures(rows: list[Row]) -> dict[str, str]:
    """Give each failed member's first exception."""
    return {
        row.name: next(
            f"{part}: {cell.reason}" for part, cell in row.cells.items() if cell.state == "failed"
        )
        for row in rows
        if row.failed
    }


def _cell(folder: MemberFolder, part: str, cell: Cell, alive: bool) -> Cell:
    """Correct what the board says of a unit by what its markers say."""
    if alive and cell.state in ("running", "failed"):
        return cell
    if part != FEATURES:
        place = folder.fold(int(part.removeprefix("fold ")))
        if (place / "DONE.json").is_file():
            return Cell("done", seconds=read_json(place / "DONE.json").get("seconds"))
        if (place / "FAILED.json").is_file() and not alive:
            return Cell("failed", reason=str(read_json(place / "FAILED.json").get("reason", "")))
        if cell.state == "done":  # its folder was deleted since
            return Cell()
    return replace(cell, state="interrupted") if cell.state == "running" else cell
