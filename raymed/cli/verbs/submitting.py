"""The verbs that hand work to a cluster, and look after it there."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from raymed.cli.verbs.application import Config, Overrides, RunOption, app, experiment_of, loading

Address = Annotated[
    str | None,
    typer.Option(
        help="of the head's Jobs API; default: RAY_API_SERVER_ADDRESS, RAY_ADDRESS where it is "
        "http://.., or http://127.0.0.1:8265",
        show_default=False,
    ),
]
JobId = Annotated[str, typer.Argument(metavar="JOB", help="as raymed jobs lists it")]


@app.command(rich_help_panel="Cluster")
def submit(
    verb: Annotated[Literal["build", "tune", "compare"], typer.Argument(show_default=False)],
    config: Config,
    run: Annotated[
        str,
        typer.Option(
            "--run",
            help="run folder: s3://.., or absolute, on a file system that the cluster shares",
            show_default=False,
        ),
    ],
    overrides: Overrides = None,
    address: Address = None,
    detach: Annotated[bool, typer.Option("--detach", help="do not wait for its end")] = False,
    job_id: Annotated[str | None, typer.Option(help="default: Ray chooses one")] = None,
    limit: Annotated[float, typer.Option(min=0, help="of the package, in MB")] = 20,
    python: Annotated[str, typer.Option(help="interpreter there, for the head's shell")] = "python",
    from_study: Annotated[int | None, typer.Option(min=1, help="as in raymed build")] = None,
    warm_start: Annotated[str | None, typer.Option(help="as in raymed tune")] = None,
    sharpness: Annotated[bool, typer.Option(help="as in raymed compare")] = True,
) -> None:
    """Run a verb on a cluster; shows its log, and ends with its exit code."""
    experiment = experiment_of(config, overrides)
    from raymed.cli.submitting import show_submission, verb_options

    options = verb_options(verb, from_study, warm_start, sharpness=sharpness)
    with loading("loading Ray"):
        from raymed.cluster.submission import Submission

        wish = Submission(verb, experiment.name, run, options, python)
    show_submission(
        experiment, wish, address, job_id=job_id, limit=round(limit * 1e6), detach=detach
    )


@app.command(rich_help_panel="Cluster")
def jobs(address: Address = None) -> None:
    """List the jobs that were submitted to a cluster, the newest first."""
    from raymed.cli.submitting import open_jobs, show_jobs

    show_jobs(open_jobs(address).list())


@app.command(rich_help_panel="Cluster")
def logs(
    job: JobId,
    address: Address = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="until it ends; then with its exit code")
    ] = False,
) -> None:
    """Print what a job has said."""
    from raymed.cli.submitting import follow_job, open_jobs

    cluster = open_jobs(address)
    if follow:
        follow_job(cluster, job)
    else:
        typer.echo(cluster.log(job), nl=False)


@app.command(rich_help_panel="Cluster")
def stop(job: JobId, address: Address = None) -> None:
    """Stop a job, and wait until it has; the same submission again continues its run."""
    from raymed.cli.submitting import open_jobs, show_stop

    show_stop(open_jobs(address), job)


@app.command(rich_help_panel="Cluster")
def doctor(
    config: Annotated[
        Path | None, typer.Argument(help="a YAML configuration", show_default=False)
    ] = None,
    overrides: Overrides = None,
    address: Annotated[
        str | None,
        typer.Option(
            help="auto or HOST:PORT of a Ray that this machine belongs to, http://.. of a head's "
            "Jobs API; default: cluster.address, else this machine alone",
            show_default=False,
        ),
    ] = None,
    run: RunOption = None,
    python: Annotated[str, typer.Option(help="as in raymed submit, with http://..")] = "python",
    as_json: Annotated[bool, typer.Option("--json", help="the same facts for a program")] = False,
) -> None:
    """Look at all that a build rests on, on every node. Exit code 2: something would stop it."""
    experiment = None if config is None else experiment_of(config, overrides)
    with loading():
        from raymed.cli.examining import show_visit, visit_of
    show_visit(visit_of(experiment, address, run), python, as_json=as_json)
