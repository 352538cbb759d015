"""`raymed status` in the terminal. Loads neither torch nor Ray nor Optuna."""

from rich.console import Console
from rich.markup import escape

from raymed.cli.grid import duration, grid, stage_line, time_line
from raymed.cli.study import study_lines, trials_table
from raymed.pipeline.board import STATES, NodeAtWork
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
    for node in status.nodes:
        console.print(_node_line(node), highlight=False)
    if board.tally is not None:
        _show_study(board.tally, status.now, console)
    for name, reason in first_failures(board.members).items():
        console.print(f"[red]failed:[/] {escape(name)}, {escape(reason)}", soft_wrap=True)
    if state == "stopped":
        verb = "build" if board.tally is None else "tune"
        console.print(f"the same raymed {verb} again continues")


def _node_line(node: NodeAtWork) -> str:
    """Say what a node does; nothing of what is not known."""
    told = [f"{node.units} unit{'s' * (node.units > 1)}"]
    if node.speed is not None:
        told.append(f"{node.speed:,.0f} images/s")
    if node.busy is not None:
        told.append(f"GPU {node.busy:.0%} busy")
    return f"on {escape(node.node)}: {', '.join(told)}"


def _show_study(tally: Tally, now: float, console: Console) -> None:
    if tally.leading:
        console.print(trials_table(tally.leading))
    for line in study_lines(tally, now):
        console.print(line, soft_wrap=True, highlight=False)
