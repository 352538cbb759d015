"""The table of `raymed compare`: what each technique gained, and whether that can be said."""

from itertools import groupby
from pathlib import Path
from typing import Any

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raymed.cli.display import end_with_failures, follow_until_stopped
from raymed.cli.grid import duration
from raymed.config import Experiment
from raymed.pipeline.compare import Compared, compare_events
from raymed.report.comparison import COMPARISON_FILES, stacks_of, verdict_of
from raymed.report.wording import number


def show_comparison(experiment: Experiment, run: Path | str | None, *, sharpness: bool) -> None:
    """Compare, showing progress, then the gains and the paths of the page and the table.

    Ends as a build does: with exit code 3 when members failed, with 130 when stopped.
    """
    console = Console()
    events = compare_events(experiment, run, sharpness=sharpness)
    compared = follow_until_stopped(events, console)
    _print_gains(console, compared)
    end_with_failures(compared.failed, compared.run, console)


def _print_gains(console: Console, compared: Compared) -> None:
    found = compared.comparison
    noun = "patient" if found["patients_declared"] else "image"
    title = f"{found['name']}: out of fold, {noun} level, 95 % interval by {noun}"
    table = Table(title=title, title_justify="left", box=SIMPLE, show_edge=False, pad_edge=False)
    table.add_column("choice", overflow="fold")
    for head in ("gain in log loss", "accuracy", "training"):
        table.add_column(head, justify="right", no_wrap=True)
    table.add_column("verdict", overflow="fold")
    for _, rows in groupby(found["rows"], key=lambda row: str(row["technique"])):
        for row in rows:
            table.add_row(*_cells(row))
        table.add_section()
    for row in stacks_of(found):
        if row["gain"] is not None:
            table.add_row(*_cells(row | {"choice": f"{row['choice']} {row['technique']}"}))
    console.print(table)
    console.print(
        "a gain is positive where the loss is lower than that of the section's first choice, or "
        "of the stack without; both sides resampled together; the verdict allows for all gains "
        "(Holm)",
        highlight=False,
    )
    for each in found["left_out"]:
        console.print(f"left out: {escape(each['name'])}: {escape(each['reason'])}")
    if not found["patients_declared"]:
        console.print("[yellow]Patients are not declared: leakage was not excluded.[/]")
    for name in COMPARISON_FILES[1:]:
        path = compared.run.comparison_folder / name
        console.print(f"{path.suffix[1:]}: {path}", soft_wrap=True, highlight=False)


def _cells(row: dict[str, Any]) -> list[str]:
    accuracy = number(row["oof"]["accuracy"]["value"])
    took = duration(row["training_seconds"])
    if row["gain"] is None:
        return [escape(row["choice"]), "", accuracy, took, ""]
    gain = row["gain"]["log_loss"]
    shown = number(gain["value"])
    if gain["low"] is not None:
        shown += f" [dim]{number(gain['low'])} to {number(gain['high'])}[/]"
    return [escape(row["choice"]), shown, accuracy, took, verdict_of(row)]
