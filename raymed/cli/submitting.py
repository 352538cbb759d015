"""`raymed submit`, `jobs`, `logs` and `stop` in the terminal."""

import os.path
import tempfile
import time
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raymed.cli.grid import duration
from raymed.cli.verbs.application import loading
from raymed.cluster.package import named_paths, pack
from raymed.cluster.submission import Job, Submission, dashboard_address
from raymed.config import Experiment, is_url
from raymed.errors import EngineError, InputError
from raymed.files import told_size

if TYPE_CHECKING:
    from raymed.cluster.jobs import Jobs


def verb_options(
    verb: str, from_study: int | None, warm_start: str | None, *, sharpness: bool
) -> tuple[str, ...]:
    """Give the options that the verb itself takes; one of another verb is refused."""
    given = {
        ("build", "--from-study"): () if from_study is None else ("--from-study", str(from_study)),
        ("tune", "--warm-start"): () if warm_start is None else ("--warm-start", str(warm_start)),
        ("compare", "--no-sharpness"): () if sharpness else ("--no-sharpness",),
    }
    for (owner, name), words in given.items():
        if words and owner != verb:
            raise InputError(name, f"is for raymed {owner}, this is {verb}", "leave it out")
    if warm_start is not None:
        absolute("--warm-start", warm_start)
    return sum(given.values(), ())


def open_jobs(address: str | None) -> "Jobs":
    """Reach the cluster, or say why not."""
    url = dashboard_address(address)
    with loading(f"reaching {url}"):
        try:
            from raymed.cluster.jobs import Jobs
        except ModuleNotFoundError as error:
            fault = f"the client of Ray's Jobs API is not installed ({error})"
            raise InputError(url, fault, "install raymed[cluster]") from None
        return Jobs(url)


def show_submission(
    experiment: Experiment,
    wish: Submission,
    address: str | None,
    *,
    job_id: str | None,
    limit: int,
    detach: bool,
) -> None:
    """Pack, submit, and follow to the end; the job's exit code is ours."""
    console = Console()
    wish = replace(wish, run=absolute("--run", wish.run))
    with tempfile.TemporaryDirectory(prefix="raymed-package-") as folder:
        package = pack(experiment, Path(folder), limit)
        _say(console, f"package: {package.files} files, {told_size(package.size)}")
        for place, path in [*named_paths(experiment), ("--run", wish.run)]:
            _say(console, f"the cluster must reach {place}: {path}")
        jobs = open_jobs(address)
        with loading("asking what the cluster has"):
            from raymed.pipeline.doctor import refuse_unmet

            refuse_unmet(wish.verb, experiment, jobs)
        with loading("submitting"):
            job = jobs.submit(wish, package.folder, job_id)
    _say(console, f"job: {job}")
    if detach:
        _say(console, _ways(jobs, job))
    else:
        follow_job(jobs, job)


def follow_job(jobs: "Jobs", job_id: str) -> None:
    """Show a job's log until it ends, then end with its exit code; Ctrl-C leaves it running."""
    console = Console()
    try:
        for text in jobs.follow(job_id):
            typer.echo(text, nl=False)
    except KeyboardInterrupt:
        _say(console, f"\nthe job goes on; {_ways(jobs, job_id)}")
        raise typer.Exit(130) from None
    job = jobs.find(job_id)
    _say(console, _end(job))
    if job.state == "stopped":
        raise typer.Exit(130)
    if job.exit_code is None:
        raise EngineError(f"the job {job_id} never ran to its end: {job.message}")
    raise typer.Exit(job.exit_code)


def show_jobs(jobs: Iterable[Job]) -> None:
    """Print a row a job."""
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    for head in ("job", "verb", "experiment", "state", "start"):
        table.add_column(head, no_wrap=head != "experiment")
    table.add_column("took", justify="right")
    for job in jobs:
        cells = (job.id, job.verb, job.experiment, job.state, _began(job), _took(job))
        table.add_row(*map(escape, cells))
    console = Console()
    console.print(table if table.row_count else "no jobs of raymed", highlight=False)


def show_stop(jobs: "Jobs", job_id: str) -> None:
    """Stop a job, and tell how it ended."""
    with loading(f"stopping {job_id}"):
        job = jobs.stop(job_id)
    _say(Console(), _end(job))


def absolute(option: str, place: str) -> str:
    """Refuse a relative path for a job, which runs elsewhere."""
    if is_url(place):
        return place
    path = Path(place)
    if not path.is_absolute():
        raise InputError(
            f"{option} {place}",
            "is relative, and a job runs elsewhere",
            "give an absolute path on a file system that the cluster shares",
        )
    return os.path.normpath(path)


def _ways(jobs: "Jobs", job_id: str) -> str:
    where = f"{job_id} --address {jobs.address}"
    return f"follow it: raymed logs --follow {where}\nstop it: raymed stop {where}"


def _end(job: Job) -> str:
    code = "" if job.exit_code is None else f", exit code {job.exit_code}"
    return f"job {job.id}: {job.state}{code}"


def _began(job: Job) -> str:
    return "" if job.start is None else f"{datetime.fromtimestamp(job.start):%m-%d %H:%M}"


def _took(job: Job) -> str:
    if job.start is None:
        return ""
    return duration((job.end if job.end is not None else time.time()) - job.start)


def _say(console: Console, text: str) -> None:
    console.print(escape(text), soft_wrap=True, highlight=False)
