"""What a build looks like in the terminal: stages, units at work, the summary."""

import signal
import time
from collections.abc import Generator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import typer
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from raymed.cli.grid import duration, grid, stage_line, time_line
from raymed.cli.study import study_lines, trials_table
from raymed.config import Experiment
from raymed.pipeline.board import Board, seconds_left
from raymed.pipeline.build import Built, build_events
from raymed.pipeline.events import Event, MemberFailed, Note, Stage, Training, TrialEnded
from raymed.pipeline.rates import FoundRate
from raymed.pipeline.recording import take
from raymed.pipeline.tally import Tally
from raymed.runs import RunFolder
from raymed.stories import result_of

Result = TypeVar("Result")

_COLUMNS = {
    "log_loss": "log loss",
    "auroc": "AUROC",
    "accuracy": "accuracy",
}


def show_build(experiment: Experiment, run: Path | str | None) -> None:
    """Build, showing progress, then the summary and the path of the report.

    Ends with exit code 3 when members failed.
    """
    console = Console()
    built = follow_until_stopped(build_events(experiment, run), console)
    _print_summary(console, built)
    end_with_failures(built.failed, built.run, console)


def follow_until_stopped(events: Generator[Event, None, Result], console: Console) -> Result:
    """Show a long job; ends with exit code 130 when it is stopped."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with BuildDisplay(console) as display:
            return display.follow(events)
    except KeyboardInterrupt:
        events.close()
        console.print("\nstopped; the same command continues where this one was")
        raise typer.Exit(130) from None


def end_with_failures(failed: Mapping[str, str], run: RunFolder, console: Console) -> None:
    """Name the members that failed, if any, and end with exit code 3."""
    if failed:
        for name, reason in failed.items():
            console.print(f"[red]member {escape(name)} failed[/]: {escape(reason)}")
        console.print(f"logs: {run.log_folder}", soft_wrap=True)
        raise typer.Exit(3)


def show_rate(events: Generator[Event, None, FoundRate]) -> None:
    """Run the learning rate range test, showing progress, then what it suggests."""
    console = Console()
    with BuildDisplay(console) as display:
        found = display.follow(events)
    where = f"{escape(found.member)}, phase {found.phase}"
    if found.suggested is None:
        console.print(f"{where}: the loss never fell; no rate is suggested")
    else:
        console.print(f"{where}: suggested lr [bold]{found.suggested:.1e}[/]")
    console.print(f"plot: {found.page}", soft_wrap=True, highlight=False)


class BuildDisplay:
    """Follows a build's events: a live table of members and folds, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self.console = console
        self.board = Board(started=time.time())
        self.live = Live(
            console=console, get_renderable=self._draw, transient=True, refresh_per_second=4
        )

    def __enter__(self) -> Self:
        """Start drawing."""
        if self.console.is_terminal:
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing; the table disappears, the lines stay."""
        self.live.stop()

    def follow(self, events: Generator[Event, None, Result]) -> Result:
        """Show every event; return what the story leaves."""
        return result_of(events, self.show)

    def show(self, event: Event) -> None:
        """Show one event."""
        new_stage = isinstance(event, Stage) and event.name != self.board.stage
        take(self.board, event)
        match event:
            case Stage() if new_stage:
                self._say(f"[bold]{escape(event.name)}[/]")
            case Training(ended=True) if not self.console.is_terminal:
                count = f"{self.board.done}/{self.board.total}"
                self._say(f"[green]done[/] {escape(event.member)}, {event.part} ({count})")
            case MemberFailed():
                name = escape(event.member)
                self._say(f"[red]failed:[/] {name}, {event.part}: {escape(event.reason)}")
            case TrialEnded():
                self._say(trial_line(event, self.board.tally, time.time()))
            case Note():
                mark = "[yellow]warning:[/] " if event.warning else ""
                self._say(mark + escape(event.text))

    def _draw(self) -> RenderableType:
        board, now = self.board, time.time()
        parts: list[RenderableType] = [grid(board, self.console)] if board.members else []
        if board.tally is not None and not board.finished:
            if board.tally.leading:
                parts.append(trials_table(board.tally.leading))
            lines = [stage_line(board), *study_lines(board.tally, now)]
            return Group(*parts, Text("\n".join(lines)))
        left = seconds_left(board) if board.members else None
        line = Text(f"{stage_line(board)}  {time_line(now - board.started, left)}", no_wrap=True)
        return Group(*parts, line)

    def _say(self, text: str) -> None:
        self.console.print(text, soft_wrap=True, highlight=False)


def trial_line(event: TrialEnded, tally: Tally | None = None, now: float = 0) -> str:
    """Say how a trial ended, which is the best so far, and how long the rest takes if known."""
    best = "" if event.best is None else f"; best {event.best[1]:.4f}, trial {event.best[0]}"
    left = None if tally is None else tally.left(now)
    best += f"; about {duration(left)} left" if left else ""
    if event.state == "complete" and event.value is not None:
        return f"[green]trial {event.number}[/]: log loss {event.value:.4f}{best}"
    if event.state == "pruned":
        if event.within is not None:
            where = "in fold {} after epoch {}".format(*event.within)
        else:
            where = "after 1 fold" if event.folds == 1 else f"after {event.folds} folds"
        return f"[dim]trial {event.number}[/]: stopped {where}{best}"
    return f"[red]trial {event.number} failed:[/] {escape(event.reason)}"


def _print_summary(console: Console, built: Built) -> None:
    metrics = built.metrics
    level = "patient" if metrics["patients_declared"] else "image"
    title = f"{metrics['name']}: out-of-fold, {level} level, 95 % interval by patient"
    scores = [row["oof"][level] for row in metrics["rows"]]
    console.print(scores_table(title, metrics, scores))
    if not metrics["patients_declared"]:
        console.print("[yellow]Patients are not declared: leakage was not excluded.[/]")
    console.print("* the stack that predicts; its figures are cross-fitted by patient")
    console.print(f"report: {built.run.report_file}", soft_wrap=True, highlight=False)
    if built.run.store is not None:
        console.print(f"all of it lies in {built.run.place}", soft_wrap=True, highlight=False)


def scores_table(title: str, metrics: dict[str, Any], scores: list[dict[str, Any]]) -> Table:
    """Draw the headline figures of the rows of `metrics`, the chosen stack marked."""
    table = Table(title=escape(title), title_justify="left", caption_justify="left")
    table.add_column("", overflow="fold")
    for name in _COLUMNS.values():
        table.add_column(name, justify="right")
    for row, scored in zip(metrics["rows"], scores, strict=True):
        chosen = row["kind"] == "meta-learner" and row["name"] == metrics["chosen"]
        name = escape(f"stack: {row['name']}" if row["kind"] == "meta-learner" else row["name"])
        cells = [_estimate(scored["metrics"][key]) for key in _COLUMNS]
        table.add_row(f"[bold]{name} *[/]" if chosen else name, *cells)
    return table


def _estimate(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "–"
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} [dim]{figure['low']:.3f}–{figure['high']:.3f}[/]"
