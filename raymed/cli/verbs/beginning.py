"""The verbs that come first: a try, a configuration, a look at the data."""

import json
from pathlib import Path
from typing import Annotated

import typer

from raymed.cli.verbs.application import Config, Overrides, RunOption, app, experiment_of, loading


@app.command(rich_help_panel="Begin")
def demo(run: Annotated[Path, typer.Option(help="run folder")] = Path("runs/demo")) -> None:
    """Build an ensemble on a generated phantom data set: no data, no network, under 3 minutes."""
    with loading():
        from raymed.cli.display import show_build
        from raymed.pipeline.demo import write_demo

        experiment = write_demo(run / "phantom")
    show_build(experiment, run)


@app.command(rich_help_panel="Begin")
def init(
    source: Annotated[
        str, typer.Argument(help="the images, in whatever form they lie", show_default=False)
    ],
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="default: <name>.yaml", show_default=False),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="of the experiment; default: the source's")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", help="ask nothing, take what is proposed")] = False,
    force: Annotated[bool, typer.Option("--force", help="write over what is there")] = False,
) -> None:
    """Look at images and write a configuration that builds as it stands."""
    with loading():
        from raymed.cli.initializing import show_init
    show_init(source, output, name=name, yes=yes, force=force)


@app.command(rich_help_panel="Begin")
def check(
    config: Config,
    overrides: Overrides = None,
    run: RunOption = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="default: audit.json in the run folder"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the audit for a program")] = False,
) -> None:
    """Audit the data: leaks, copies, hidden people. Exit code 1: a build would stop."""
    experiment = experiment_of(config, overrides)
    with loading():
        from raymed.cli.checking import show_check
    show_check(experiment, run, output, as_json=as_json)


@app.command(rich_help_panel="Begin")
def schema() -> None:
    """Print the JSON Schema of a configuration, for editors."""
    from raymed.config import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
