"""What the verbs share: the application, arguments that several take, reading, a sign of life."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Console
from rich.status import Status

if TYPE_CHECKING:
    from raymed.config import Experiment

app = typer.Typer(
    help="Labelled medical images to a trustworthy stacked ensemble.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

Config = Annotated[Path, typer.Argument(help="a YAML configuration", show_default=False)]
Run = Annotated[str, typer.Argument(help="a run folder: a path, or s3://..", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="changes to the configuration: dotted.key=value", show_default=False),
]
RunOption = Annotated[
    str | None,
    typer.Option(
        "--run",
        help="run folder, a path or s3://..; default ./runs/<name>",
        show_default=False,
    ),
]
Device = Annotated[Literal["auto", "cpu", "cuda"], typer.Option()]


def loading(what: str = "loading torch and timm") -> Status:
    """Show that something is coming, on a terminal."""
    return Console(stderr=True).status(what)


def experiment_of(config: Path, overrides: list[str] | None) -> "Experiment":
    """Read a configuration and what changes it; nothing heavy is loaded for its faults."""
    from raymed.config import read_experiment

    return read_experiment(config, overrides or ())
