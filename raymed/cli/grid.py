"""The table of members and folds, live and in `raymed status`, and how time is told."""

from collections.abc import Callable

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raymed.pipeline.board import FEATURES, Board, Cell

_NAME_WIDTH = 20
_STYLES = {"done": "green", "running": "cyan", "failed": "red", "interrupted": "yellow"}
_MARKS = {"done": "✓", "running": "▶", "failed": "✗", "interrupted": "‖", "waiting": "·"}


def grid(board: Board, console: Console) -> Table:
    """Draw a row a member and a column a fold.

    Where the cells are too wide for the console they lose words, at last they are single marks.
    """
    parts = sorted({part for row in board.members for part in row.cells}, key=_place)
    endless = console.options.update(width=10_000)
    for heads, write in ((parts, _long), ([_short_head(part) for part in parts], _short)):
        table = _table(board)
        for head in heads:
            table.add_column(head, justify="right", no_wrap=True)
        for row in board.members:
            cells = [_styled(row.cells[p], write) if p in row.cells else "" for p in parts]
            table.add_row(escape(row.name), *cells)
        if console.measure(table, options=endless).maximum <= console.width:
            return table
    return _marks(board, parts)


def stage_line(board: Board) -> str:
    """Name the stage and how far it is, as far as that can be counted."""
    count = f" {board.done}" if board.done else ""
    if board.total is not None:
        count = f" {board.done}/{board.total}"
    return (board.stage or "starting") + count


def time_line(elapsed: float, left: float | None) -> str:
    """Say how long it has taken and how long it will; plainly when that is unknown."""
    rest = "time left unknown" if left is None else f"about {duration(left)} of training left"
    return f"{duration(elapsed)} elapsed, {rest if left != 0 else 'no training left'}"


def duration(seconds: float) -> str:
    """Write seconds short: `8s`, `3m20s`, `2h05m`, `4d03h`."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02d}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole % 3600 // 60:02d}m"
    return f"{whole // 86400}d{whole % 86400 // 3600:02d}h"


def _table(board: Board) -> Table:
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    table.add_column("member", no_wrap=True, max_width=_NAME_WIDTH)
    return table


def _marks(board: Board, parts: list[str]) -> Table:
    """Draw a member's folds as one string of marks, with the count of those done."""
    table = _table(board)
    table.add_column(f"{_short_head(parts[0])} to {_short_head(parts[-1])}", overflow="fold")
    table.add_column("done", justify="right", no_wrap=True)
    for row in board.members:
        cells = [row.cells[part] for part in parts if part in row.cells]
        done = sum(cell.state == "done" for cell in cells)
        marks = "".join(_styled(cell, lambda cell: _MARKS[cell.state]) for cell in cells)
        table.add_row(escape(row.name), marks, f"{done}/{len(cells)}")
    return table


def _styled(cell: Cell, write: Callable[[Cell], str]) -> str:
    style = _STYLES.get(cell.state, "dim")
    return f"[{style}]{write(cell)}[/]"


def _long(cell: Cell) -> str:
    if cell.state in ("running", "interrupted"):
        mark = "‖ " if cell.state == "interrupted" else ""
        epoch = f"epoch {cell.epoch}/{cell.epochs}" if cell.epochs else f"{cell.share:.0%}"
        loss = f" {cell.loss:.3f}".replace(" 0.", " .") if cell.loss is not None else ""
        return mark + epoch + loss
    return "failed" if cell.state == "failed" else _short(cell)


def _short(cell: Cell) -> str:
    if cell.state in ("running", "interrupted"):
        return f"{'‖' if cell.state == 'interrupted' else ''}{cell.share:.0%}"
    if cell.state == "done" and cell.seconds is not None:
        return duration(cell.seconds)
    return _MARKS[cell.state]


def _short_head(part: str) -> str:
    return "feat" if part == FEATURES else part.removeprefix("fold ")


def _place(part: str) -> int:
    return -1 if part == FEATURES else int(part.removeprefix("fold "))
