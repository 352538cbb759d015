"""What a build looks like in the terminal: stages, units at work, the summary."""

from collections.abc import Generator
from pathlib import Path
from types import TracebackType
from typing import Self

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from raymed.config import Experiment
from raymed.pipeline.build import Built, build_events
from raymed.pipeline.events import Event, MemberFailed, Note, Stage, Training

_COLUMNS = {
    "log_loss": "log loss",
    "auroc": "AUROC",
    "accuracy": "accuracy",
}


def show_build(experiment: Experiment, run: Path | None) -> None:
    """Build, showing progress, then the summary and the path of the report.

    Ends with exit code 3 when members failed, with 130 on Ctrl-C.
    """
    console = Console()
    events = build_events(experiment, run)
    try:
        with BuildDisplay(console) as display:
            built = display.follow(events)
    except KeyboardInterrupt:
        events.close()
        console.print("\nstopped; the same command continues where this one was")
        raise typer.Exit(130) from None
    _print_summary(console, built)
    if built.failed:
        for name, reason in built.failed.items():
            console.print(f"[red]member {escape(name)} failed[/]: {escape(reason)}")
        console.print(f"logs: {built.run.log_folder}", soft_wrap=True)
        raise typer.Exit(3)


class BuildDisplay:
    """Follows a build's events: live bars on a terminal, plain lines elsewhere."""

    def __init__(self, console: Console) -> None:
        """Draw on `console`."""
        self.console = console
        self.live = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            TextColumn("{task.fields[state]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(compact=True),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self.stage: tuple[str, TaskID] | None = None
        self.units: dict[tuple[str, str], TaskID] = {}

    def __enter__(self) -> Self:
        """Start drawing."""
        self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop drawing; the bars disappear, the lines stay."""
        self.live.stop()

    def follow(self, events: Generator[Event, None, Built]) -> Built:
        """Show every event; return what the build leaves."""
        while True:
            try:
                event = next(events)
            except StopIteration as end:
                built: Built = end.value
                return built
            self.show(event)

    def show(self, event: Event) -> None:
        """Show one event."""
        match event:
            case Stage():
                self._show_stage(event)
            case Training():
                self._show_training(event)
            case MemberFailed():
                self._drop(event.member, event.part)
                self._say(f"[red]failed:[/] {event.member}, {event.part}: {escape(event.reason)}")
            case Note():
                mark = "[yellow]warning:[/] " if event.warning else ""
                self._say(mark + escape(event.text))

    def _show_stage(self, event: Stage) -> None:
        if self.stage is None or self.stage[0] != event.name:
            if self.stage is not None:
                self.live.remove_task(self.stage[1])
            task = self.live.add_task(event.name, total=event.total, state="")
            self.stage = (event.name, task)
            self._say(f"[bold]{event.name}[/]")
        state = f"{event.done}/{event.total}" if event.total is not None else ""
        self.live.update(self.stage[1], completed=event.done, state=state)

    def _show_training(self, event: Training) -> None:
        key, now = (event.member, event.part), event.progress
        if event.ended:
            self._drop(*key)
            if self.stage is not None:
                self.live.advance(self.stage[1])
                done = self.live.tasks[self.live.task_ids.index(self.stage[1])]
                count = f"{done.completed:.0f}/{done.total:.0f}" if done.total else ""
                self.live.update(self.stage[1], state=count)
                self._say(f"[green]done[/] {event.member}, {event.part} ({count})")
            return
        if key not in self.units:
            self.units[key] = self.live.add_task(f"  {event.member}, {event.part}", state="")
        parts = [f"epoch {now.epoch}/{now.epochs}" if now.epochs else ""]
        parts += [f"loss {now.loss:.3f}" if now.loss is not None else ""]
        parts += [f"{now.images_per_second:,.0f} images/s" if now.images_per_second else ""]
        self.live.update(
            self.units[key],
            completed=now.step,
            total=now.steps,
            state="  ".join(part for part in parts if part),
        )

    def _drop(self, member: str, part: str) -> None:
        task = self.units.pop((member, part), None)
        if task is not None:
            self.live.remove_task(task)

    def _say(self, text: str) -> None:
        self.live.console.print(text, soft_wrap=True, highlight=False)


def _print_summary(console: Console, built: Built) -> None:
    metrics = built.metrics
    level = "patient" if metrics["patients_declared"] else "image"
    title = f"{metrics['name']}: out-of-fold, {level} level, 95 % interval by patient"
    table = Table(title=title, title_justify="left", caption_justify="left")
    table.add_column("", overflow="fold")
    for name in _COLUMNS.values():
        table.add_column(name, justify="right")
    for row in metrics["rows"]:
        chosen = row["kind"] == "meta-learner" and row["name"] == metrics["chosen"]
        name = escape(f"stack: {row['name']}" if row["kind"] == "meta-learner" else row["name"])
        figures = row["oof"][level]["metrics"]
        cells = [_estimate(figures[key]) for key in _COLUMNS]
        table.add_row(f"[bold]{name} *[/]" if chosen else name, *cells)
    console.print(table)
    if not metrics["patients_declared"]:
        console.print("[yellow]Patients are not declared: leakage was not excluded.[/]")
    console.print("* the stack that predicts; its figures are cross-fitted by patient")
    console.print(f"report: {built.run.report_file}", soft_wrap=True, highlight=False)


def _estimate(figure: dict[str, float | None]) -> str:
    if figure["value"] is None:
        return "–"
    if figure["low"] is None or figure["high"] is None:
        return f"{figure['value']:.3f}"
    return f"{figure['value']:.3f} [dim]{figure['low']:.3f}–{figure['high']:.3f}[/]"
