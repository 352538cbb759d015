"""`raymed status` in the terminal. Loads neither torch nor Ray nor Optuna."""

from rich.console import Console
from rich.markup import escape

from raymed.cli.grid import duration, grid, stage_line, time_line
from raymed.cli.study import study_lines, trials_table
from raymed.pipeline.board import STATES
from raymed.pipeline.status import Status, first_failures
from raymed.pipeline.tally import Tally


def show_status(status: Status, console: Console) -> None:
    """Print where a build stands."""
    board, state = status.board, status.state
    by = f" ({status.holder})" if status.holder else ""
    console.print(f"[bold]{escape(board.name)}[/]: {state}{escape(by)}", soft_wrap=True)
    if state != "complete":
        verb = "at" if state == "running" else "stopped at"
        told = f"{verb} stage: {escape(stage_line(board))}" if board.stage else "no stage recorded"
        console.print(told, soft_wrap=True, highlight=False)
    if board.started:
        left = status.left
        line = time_line(status.elapsed, left)
        console.print(f"{duration(status.elapsed)} taken" if state == "complete" else line)
    if board.members:
        console.print(grid(board, console))
        words = ["left" if name == "waiting" else name for name in STATES]
        counts = [board.count(name) for name in STATES]
        console.print(", ".join(f"{n} {w}" for n, w in zip(counts, words, strict=True)))
    if board.tally is not None:
        _show_study(board.tally, status.now, console)
    for name, reason in first_failures(board.members).items():
        console.print(f"[red]failed:[/] {escape(name)}, {escape(reason)}", soft_wrap=True)
    if state == "stopped":
        verb = "build" if board.tally is None else "tune"
        console.print(f"the same raymed {verb} again continues")


def _show_study(tally: Tally, now: float, console: Console) -> None:
    if tally.leading:
        console.print(trials_table(tally.leading))
    for line in study_lines(tally, now):
        console.print(line, soft_wrap=True, highlight=False)
