"""The verbs that tell of runs and of what they cost."""

import json
from dataclasses import asdict
from typing import Annotated

import typer
from rich.console import Console

from raymed.cli.verbs.application import Config, Overrides, Run, app, experiment_of, loading


@app.command(rich_help_panel="Look")
def status(
    run: Run,
    as_json: Annotated[bool, typer.Option("--json", help="the same facts for a program")] = False,
) -> None:
    """Tell what is done, running, failed and left, also while a build runs or after it died."""
    from raymed.cli.status import show_status
    from raymed.pipeline.status import read_status

    found = read_status(run)
    if as_json:
        typer.echo(json.dumps(found.facts(), indent=2, ensure_ascii=False))
    else:
        show_status(found, Console())


@app.command(rich_help_panel="Look")
def report(
    run: Run,
    ids: Annotated[
        bool, typer.Option("--ids", help="name samples and patients by their ids, not by codes")
    ] = False,
) -> None:
    """Write the report of a run again, its tables as CSV and its figures as SVG."""
    with loading("writing the report and drawing its figures"):
        from raymed.report import publish_report
        from raymed.runs import RunFolder

        published = publish_report(RunFolder.existing(run), ids_shown=ids)
    if published.undrawn is not None:
        typer.echo(published.undrawn, err=True)
    typer.echo(published.page)


@app.command(rich_help_panel="Look")
def models(
    config: Config,
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="the same facts for a program")] = False,
) -> None:
    """Tell what each member's model costs: parameters, GMACs, speed and memory, measured here."""
    experiment = experiment_of(config, overrides)
    with loading("measuring every model"):
        from raymed.cli.costs import show_models
        from raymed.pipeline.models import model_rows

        rows = list(model_rows(experiment))
    if as_json:
        facts = [asdict(row) for row in rows]
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        show_models(rows, Console())
