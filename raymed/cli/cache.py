"""`raymed cache`: lists what the cache holds, clears it, verifies it."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from raymed.errors import InputError
from raymed.files import told_size

if TYPE_CHECKING:
    from raymed.pipeline.cache import Kept

cache_app = typer.Typer(
    help="Decoded images, features and fetched sources that runs share: list, clear, verify.",
    add_completion=False,
)

Folder = Annotated[
    Path | None,
    typer.Option("--folder", help="default: $RAYMED_CACHE or ~/.cache/raymed", show_default=False),
]


@cache_app.callback(invoke_without_command=True)
def show(context: typer.Context, folder: Folder = None) -> None:
    """List what the cache holds, what was used last first."""
    if context.invoked_subcommand is not None:
        context.obj = folder
        return
    from raymed.pipeline.cache import cache_folder, list_cache

    cache, console = cache_folder(folder), Console()
    found = list_cache(cache)
    if not found:
        console.print(f"{cache}: the cache is empty", soft_wrap=True, highlight=False)
        return
    table = Table(title=escape(str(cache)), title_justify="left")
    for head in ("kind", "name"):
        table.add_column(head, overflow="fold")
    for head in ("size", "samples", "last use"):
        table.add_column(head, justify="right")
    table.add_column("")
    for kept in found:
        samples = "–" if kept.samples is None else f"{kept.samples:,}"
        table.add_row(
            kept.kind,
            escape(kept.path.name),
            told_size(kept.size),
            samples,
            _ago(time.time() - kept.used),
            _state(kept),
        )
    console.print(table)
    total = sum(kept.size for kept in found)
    console.print(f"{len(found)} entries, {told_size(total)} in all", highlight=False)


@cache_app.command()
def clear(
    context: typer.Context,
    older_than: Annotated[
        str | None,
        typer.Option(help="what was not used for so long: 12h, 30d, 4w", show_default=False),
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="all of it")] = False,
    folder: Folder = None,
) -> None:
    """Remove entries; what a running build uses stays."""
    from raymed.pipeline.cache import cache_folder, clear_cache, seconds_of

    if (older_than is not None) == everything:
        raise InputError(
            "raymed cache clear", "does not say what to remove", "give --older-than 30d, or --all"
        )
    age = seconds_of(older_than) if older_than is not None else -1.0
    cache, console = cache_folder(folder or context.obj), Console()
    removed, size = 0, 0
    for kept, is_gone in clear_cache(cache, age):
        removed, size = removed + is_gone, size + kept.size * is_gone
        if not is_gone:
            console.print(f"in use, stays: {escape(str(kept.path))}", soft_wrap=True)
    count = f"{removed} entr{'y' if removed == 1 else 'ies'}"
    console.print(f"{cache}: {count} removed, {told_size(size)} freed", soft_wrap=True)


@cache_app.command()
def verify(context: typer.Context, folder: Folder = None) -> None:
    """Read every entry wholly; exit code 1 where one is not as it was written."""
    from raymed.pipeline.cache import cache_folder, verify_cache

    cache, console = cache_folder(folder or context.obj), Console()
    good, harmed = 0, list[Path]()
    with Progress(
        TextColumn("reading"), BarColumn(), TextColumn("{task.description}"), console=console
    ) as progress:
        task = progress.add_task("", total=100)
        for at in verify_cache(cache):
            progress.update(task, completed=at.percent, description=at.kept.path.name)
            if at.intact is False:
                harmed.append(at.kept.path)
            good += at.intact is True
    for path in harmed:
        console.print(f"[red]harmed[/]: {escape(str(path))}", soft_wrap=True, highlight=False)
    console.print(f"{cache}: {good} as written, {len(harmed)} harmed", soft_wrap=True)
    if harmed:
        console.print("the next build makes or fetches again what is harmed")
        raise typer.Exit(1)


def _state(kept: "Kept") -> str:
    words = ["in use"] * kept.in_use + ["not finished"] * (not kept.is_whole)
    return ", ".join(words)


def _ago(seconds: float) -> str:
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:,.0f} {unit} ago"
    return "now"
