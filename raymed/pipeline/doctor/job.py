"""A visit through the Jobs API: what shows from outside, then the doctor as a job there."""

import json
import tempfile
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING

from raymed.cluster.findings import Finding
from raymed.cluster.package import pack
from raymed.cluster.submission import VisitOrder
from raymed.config import Experiment, Search, searched_recipe
from raymed.errors import EngineError, InputError
from raymed.pipeline.doctor.examination import Examination, Visit

if TYPE_CHECKING:
    from raymed.cluster.jobs import Jobs

_SECONDS = 150
"""How long the job may take: a head that is busy starts it late."""
_POLL_SECONDS = 0.5
_PACKAGE_BYTES = 20_000_000
_SAID_LINES = 5


def refuse_unmet(verb: str, experiment: Experiment, jobs: "Jobs") -> None:
    """Raise `InputError` for what a job of a verb could never get from the cluster as it is now."""
    from raymed.pipeline.placement import room_on

    for finding in judge_ray_version(jobs.address, jobs.ray_version()):
        if finding.severity == "error":
            raise finding.error
    if not experiment.cluster.wait_minutes:  # else the job waits for nodes that are to come
        room_on(_worked_on(verb, experiment), jobs.nodes())


def _worked_on(verb: str, experiment: Experiment) -> Experiment:
    """Leave out the recipes that a verb does not train."""
    name: str | None = None
    if verb == "tune":
        name = searched_recipe(experiment.search or Search(), experiment.recipes)
    elif verb == "compare" and "ensemble" not in experiment.compare.techniques:
        name = experiment.compared_recipe
    if name is None:
        return experiment
    return experiment.model_copy(update={"recipes": {name: experiment.recipes[name]}})


def examine_by_job(visit: Visit, jobs: "Jobs", python: str) -> Examination:
    """Look at a cluster from outside, then have a job look at each of its nodes."""
    where = f"the cluster at {jobs.address}"
    outside = list(judge_outside(jobs))
    try:
        found = _by_job(visit, jobs, python)
    except (InputError, EngineError) as error:
        finding = Finding.of(error) if isinstance(error, InputError) else None
        outside.append(finding or Finding("error", where, str(error)))
        return Examination(where, (), tuple(outside))
    return Examination(where, found.nodes, (*outside, *found.findings))


def judge_outside(jobs: "Jobs") -> Iterator[Finding]:
    """Say what shows without a job: the version of Ray, and who is let in."""
    yield from judge_ray_version(jobs.address, jobs.ray_version())
    if jobs.asks_for_token():
        yield Finding("fine", jobs.address, "answers, and refuses who has no token")
    else:
        fault = "whoever reaches it may run programs there, without a token"
        remedy = "start it with RAY_AUTH_MODE=token, and keep a firewall: docs/cluster.md"
        yield Finding("warning", jobs.address, fault, remedy)


def judge_ray_version(place: str, there: str) -> Iterator[Finding]:
    """Hold the head's Ray against the one here, whose client speaks to it and is tested with it."""
    try:
        here = version("ray")
    except PackageNotFoundError:
        return
    if _minor(there) != _minor(here):
        fault = f"its head runs Ray {there}, this process has {here}"
        yield Finding("error", place, fault, "give both one environment (uv.lock)")
    elif there != here:
        fault = f"its head runs Ray {there}, this process has {here}"
        yield Finding("warning", place, fault, "give both one environment (uv.lock)")


def _minor(release: str) -> list[str]:
    return release.split(".")[:2]


def _by_job(visit: Visit, jobs: "Jobs", python: str) -> Examination:
    experiment = visit.experiment
    run = None if visit.run is None else visit.run.place
    order = VisitOrder(experiment.name if experiment else None, run, python)
    with tempfile.TemporaryDirectory(prefix="raymed-package-") as folder:
        package = pack(experiment, Path(folder), _PACKAGE_BYTES)
        job_id = jobs.order(order, package.folder)
    deadline = time.monotonic() + _SECONDS
    while not (job := jobs.find(job_id)).ended:
        if time.monotonic() > deadline:
            jobs.stop(job_id)
            fault = f"its doctor's job was {job.state} for {_SECONDS} s"
            raise InputError(jobs.address, fault, f"see raymed logs {job_id}")
        time.sleep(_POLL_SECONDS)
    log = jobs.log(job_id)
    found = _read(log)
    if found is None:
        said = " / ".join(log.strip().splitlines()[-_SAID_LINES:]) or job.message
        fault = f"its doctor's job told nothing ({job.state}, exit code {job.exit_code}: {said})"
        remedy = "see that its machines have raymed's dependencies; --python names the interpreter"
        raise InputError(jobs.address, fault, remedy)
    jobs.forget(job_id)
    return found


def _read(log: str) -> Examination | None:
    """Find what the job printed among what else stands in its log."""
    begin = log.find('{\n  "schema"')
    if begin < 0:
        return None
    try:
        facts, _ = json.JSONDecoder().raw_decode(log, begin)
    except json.JSONDecodeError:
        return None
    return Examination.of(facts)
