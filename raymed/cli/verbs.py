"""The verbs of the command line. Each imports what it needs when it runs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.console import Console
from rich.status import Status

from raymed.cli.cache import cache_app

app = typer.Typer(
    help="Labelled medical images to a trustworthy stacked ensemble.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(cache_app, name="cache")

Run = Annotated[Path, typer.Argument(help="a run folder", show_default=False)]
Overrides = Annotated[
    list[str] | None,
    typer.Argument(help="changes to the configuration: dotted.key=value", show_default=False),
]
RunOption = Annotated[
    Path | None, typer.Option("--run", help="run folder; default ./runs/<name>", show_default=False)
]


def _loading(what: str = "loading torch and timm") -> Status:
    """Show that something is coming, on a terminal."""
    return Console(stderr=True).status(what)


@app.command()
def demo(run: Annotated[Path, typer.Option(help="run folder")] = Path("runs/demo")) -> None:
    """Build an ensemble on a generated phantom data set: no data, no network, under 3 minutes."""
    with _loading():
        from raymed.cli.display import show_build
        from raymed.pipeline.demo import write_demo

        experiment = write_demo(run / "phantom")
    show_build(experiment, run)


@app.command()
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
    with _loading():
        from raymed.cli.initializing import show_init
    show_init(source, output, name=name, yes=yes, force=force)


@app.command()
def build(
    config: Annotated[Path, typer.Argument(help="a YAML configuration", show_default=False)],
    overrides: Overrides = None,
    run: RunOption = None,
    from_study: Annotated[
        int | None,
        typer.Option(min=1, help="stack so many trials of the run's study, not the recipes"),
    ] = None,
) -> None:
    """Build the ensemble of a configuration; the same command again continues."""
    from raymed.config import read_experiment

    experiment = read_experiment(config, overrides or ())
    with _loading():
        from raymed.cli.display import show_build

        if from_study is not None:
            from raymed.pipeline.tune import with_trials
            from raymed.runs import RunFolder

            folder = RunFolder.at(run if run is not None else Path("runs") / experiment.name)
            experiment = with_trials(experiment, folder, from_study)
    show_build(experiment, run)


@app.command()
def check(
    config: Annotated[Path, typer.Argument(help="a YAML configuration", show_default=False)],
    overrides: Overrides = None,
    run: RunOption = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="default: audit.json in the run folder"),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="the audit for a program")] = False,
) -> None:
    """Audit the data: leaks, copies, hidden people. Exit code 1: a build would stop."""
    from raymed.config import read_experiment

    experiment = read_experiment(config, overrides or ())
    with _loading():
        from raymed.cli.checking import show_check
    show_check(experiment, run, output, as_json=as_json)


@app.command()
def tune(
    config: Annotated[Path, typer.Argument(help="a YAML configuration", show_default=False)],
    overrides: Overrides = None,
    run: RunOption = None,
    warm_start: Annotated[
        Path | None,
        typer.Option(help="another run, whose best trials are tried early", show_default=False),
    ] = None,
) -> None:
    """Search a recipe's settings on the folds; finished trials are members. Continues."""
    from raymed.config import read_experiment

    experiment = read_experiment(config, overrides or ())
    with _loading():
        from raymed.cli.tuning import show_search
    show_search(experiment, run, warm_start)


@app.command()
def compare(
    config: Annotated[Path, typer.Argument(help="a YAML configuration", show_default=False)],
    overrides: Overrides = None,
    run: RunOption = None,
    sharpness: Annotated[
        bool, typer.Option(help="measure how sharp each minimum is, tens of passes a member")
    ] = True,
) -> None:
    """Switch techniques on and off on the same folds and tell what each one gained."""
    from raymed.config import read_experiment

    experiment = read_experiment(config, overrides or ())
    with _loading():
        from raymed.cli.comparison import show_comparison
    show_comparison(experiment, run, sharpness=sharpness)


@app.command()
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


@app.command()
def models(
    config: Annotated[Path, typer.Argument(help="a YAML configuration", show_default=False)],
    overrides: Overrides = None,
    as_json: Annotated[bool, typer.Option("--json", help="the same facts for a program")] = False,
) -> None:
    """Tell what each member's model costs: parameters, GMACs, speed and memory, measured here."""
    from raymed.config import read_experiment

    experiment = read_experiment(config, overrides or ())
    with _loading("measuring every model"):
        from raymed.cli.costs import show_models
        from raymed.pipeline.models import model_rows

        rows = list(model_rows(experiment))
    if as_json:
        facts = [asdict(row) for row in rows]
        typer.echo(json.dumps(facts, indent=2, ensure_ascii=False))
    else:
        show_models(rows, Console())


@app.command()
def lr_find(
    config: Annotated[Path, typer.Argument(help="a YAML configuration", show_default=False)],
    overrides: Overrides = None,
    member: Annotated[str | None, typer.Option(help="default: the first")] = None,
    phase: Annotated[
        int | None, typer.Option(help="counted from 1; default: the first that trains all layers")
    ] = None,
    steps: Annotated[int, typer.Option(help="training steps of the test")] = 100,
    run: RunOption = None,
) -> None:
    """Raise a member's learning rate until training breaks; suggest one, with its plot."""
    from raymed.config import read_experiment

    experiment = read_experiment(config, overrides or ())
    with _loading():
        from raymed.cli.display import show_rate
        from raymed.pipeline.rates import find_rate
    show_rate(find_rate(experiment, run, member=member, phase=phase, steps=steps))


@app.command()
def report(run: Run) -> None:
    """Write the report of a run again, its tables as CSV and its figures as SVG."""
    with _loading("writing the report and drawing its figures"):
        from raymed.report import publish_report
        from raymed.runs import RunFolder

        published = publish_report(RunFolder.existing(run))
    if published.undrawn is not None:
        typer.echo(published.undrawn, err=True)
    typer.echo(published.page)


@app.command()
def predict(
    run: Run,
    images: Annotated[
        Path,
        typer.Argument(help="folder, image, or table with a column image"),
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help=".parquet or .csv")],
    patient_column: Annotated[
        str | None, typer.Option(help="column of the table that holds the patient")
    ] = None,
    patient_pattern: Annotated[
        str | None, typer.Option(help="regular expression over the path; its group is the patient")
    ] = None,
    patient_dicom: Annotated[
        Literal["PatientID", "StudyInstanceUID", "SeriesInstanceUID"] | None,
        typer.Option(
            help="attribute of DICOM headers; pseudonyms, by the run's secret if it has one"
        ),
    ] = None,
    tta: Annotated[
        int,
        typer.Option(min=0, help="views of each image to average, changed as in training"),
    ] = 0,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option()] = "auto",
) -> None:
    """Predict new images with the stack of a run."""
    with _loading():
        from raymed.predict import NewImages, check_output, load_stack, write_predictions
        from raymed.runs import RunFolder

    check_output(output)
    with _loading("listing images"):
        found = NewImages.find(
            images,
            patient_column=patient_column,
            pattern=patient_pattern,
            dicom=patient_dicom,
            secret=RunFolder.existing(run).secret if patient_dicom else None,
        )
    predictor = load_stack(run, device)
    with _loading(f"predicting {len(found.images)} images"):
        table = predictor.predict(found, tta=tta)
    write_predictions(table, output)
    count = int((table["level"] == "image").sum())  # frames of one file count singly
    typer.echo(f"{output}: {count} images, {len(table) - count} patients")
    if viewing := table.attrs.get("tta"):
        averaged = f"means over {tta} views by {', '.join(viewing['members'])}"
        typer.echo(f"{averaged}; {viewing['calibration']}", err=True)


@app.command()
def evaluate(
    run: Run,
    source: Annotated[
        str,
        typer.Argument(help="whatever data.source may be", show_default=False),
    ],
    overrides: Annotated[
        list[str] | None,
        typer.Argument(
            help="where its columns differ: data.patients.column=subject", show_default=False
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="default: the source's name")] = None,
    shared_patients: Annotated[
        bool, typer.Option("--shared-patients", help="go on where it shares some with the run")
    ] = False,
    device: Annotated[Literal["auto", "cpu", "cuda"], typer.Option()] = "auto",
) -> None:
    """Evaluate the stack of a run on an external test set; the same command again continues."""
    with _loading():
        from raymed.cli.external import show_evaluation
        from raymed.pipeline.evaluate import evaluate_events
    show_evaluation(
        evaluate_events(
            run,
            source,
            overrides or (),
            name=name,
            shared_patients=shared_patients,
            device=device,
        )
    )


@app.command()
def schema() -> None:
    """Print the JSON Schema of a configuration, for editors."""
    from raymed.config import json_schema

    typer.echo(json.dumps(json_schema(), indent=2))
