"""`raymed build`: from a folder of scans to a stacked ensemble and its report."""

import os
import time
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from raymed.cluster.session import embedded_ray
from raymed.config import Experiment
from raymed.ensemble import OofTable, choose, cross_fit, fit_stack, join_members, write_stack
from raymed.errors import BuildError, InputError
from raymed.files import complete as complete_marker
from raymed.files import digest, read_json, write_json
from raymed.pipeline.events import Event, MemberFailed, Note, Stage, Training
from raymed.pipeline.members import (
    Member,
    check_recipes,
    finish_member,
    member_table,
    plan_members,
)
from raymed.pipeline.prepare import Prepared, prepare
from raymed.pipeline.scores import score_run
from raymed.pipeline.units import FeatureUnit, FoldUnit, feature_units, fold_units
from raymed.report import write_report
from raymed.runs import RunFolder, now
from raymed.training import Progress


@dataclass(frozen=True)
class Built:
    """What a build left behind; `failed` maps a member's name to its first exception."""

    run: RunFolder
    metrics: dict[str, Any]
    failed: dict[str, str]


def build(experiment: Experiment, run: Path | str | None = None) -> Built:
    """Build an experiment's ensemble in a run folder (default `./runs/<name>`).

    The same call again continues where it was stopped. Raises `InputError` for bad input and
    `BuildError` when fewer members remain than `ensemble.minimum_members`.
    """
    events = build_events(experiment, run)
    while True:
        try:
            next(events)
        except StopIteration as end:
            built: Built = end.value
            return built


def build_events(
    experiment: Experiment, run: Path | str | None = None
) -> Generator[Event, None, Built]:
    """Build, telling what happens; the generator returns `Built`."""
    folder = RunFolder.at(run if run is not None else Path("runs") / experiment.name)
    started, clock = now(), time.monotonic()
    with folder.lock():
        folder.refuse_other(experiment)
        device, workers = _placement(experiment)
        yield from check_recipes(experiment)
        prepared = yield from prepare(experiment, folder)
        members = plan_members(experiment, folder, prepared)
        failed = yield from _train(experiment, folder, members, prepared, device, workers)
        complete = [
            member
            for member in members
            if member.name not in failed and finish_member(member, prepared.folds.count)
        ]
        _refuse_too_few(experiment, folder, complete, failed)
        yield Stage("joining out-of-fold predictions")
        oof = _join(folder, complete, prepared)
        yield from _stack_and_report(
            experiment,
            folder,
            prepared,
            complete,
            oof,
            failed,
            {"device": device, "workers": workers, "started": started, "clock": clock},
        )
        return Built(folder, read_json(folder.metrics_file), failed)


def _placement(experiment: Experiment) -> tuple[str, int]:
    """Choose the device and how many units run side by side."""
    wish, cuda = experiment.cluster.device, torch.cuda.is_available()
    if wish == "cuda" and not cuda:
        raise InputError("cluster.device", "cuda is not available here", "set it to auto or cpu")
    if wish != "cpu" and cuda:
        return "cuda", experiment.cluster.workers or torch.cuda.device_count()
    return "cpu", experiment.cluster.workers or len(os.sched_getaffinity(0))


def _train(
    experiment: Experiment,
    run: RunFolder,
    members: list[Member],
    prepared: Prepared,
    device: str,
    workers: int,
) -> Generator[Event, None, dict[str, str]]:
    """Work on what is left; returns the members that failed, each with its first exception."""
    features = feature_units(experiment, members, prepared, device)
    units = fold_units(experiment, run, members, prepared, device)
    failed: dict[str, str] = {}
    yield Stage("training", 0, len(features) + len(units))
    if not units:
        return failed
    gpus = min(workers, torch.cuda.device_count()) if device == "cuda" else 0
    yield Note(f"starting {min(workers, len(units))} workers on {device}")
    with embedded_ray(workers, gpus, run.log_folder):
        yield from _work(run, members, [*features, *units], workers, gpus / workers, failed)
    return failed


def _work(
    run: RunFolder,
    members: list[Member],
    units: Sequence[FeatureUnit | FoldUnit],
    workers: int,
    gpus: float,
    failed: dict[str, str],
) -> Iterator[Event]:
    """Drive the units, a probe's folds after its features; adds to `failed`."""
    from raymed.cluster.workers import Failed, Finished, run_units  # imports Ray

    folders = {member.name: member.folder for member in members}
    computing = {unit.target for unit in units if isinstance(unit, FeatureUnit)}
    for event in run_units(
        units,
        workers,
        gpus,
        wanted=lambda unit: unit.member not in failed,
        ready=lambda unit: isinstance(unit, FeatureUnit) or unit.features not in computing,
    ):
        unit = event.unit
        if isinstance(unit, FeatureUnit) and isinstance(event, Failed | Finished):
            computing.discard(unit.target)
        if isinstance(event, Failed):
            failed.setdefault(unit.member, f"{unit.part}: {event.reason}")
            fold = unit.fold if isinstance(unit, FoldUnit) else 0
            folders[unit.member].record_failure(fold, event.reason, event.trace)
            yield MemberFailed(unit.member, unit.part, event.reason)
        elif isinstance(event, Finished):
            yield Training(unit.member, unit.part, Progress(1, 1), ended=True)
        else:
            yield Training(unit.member, unit.part, event.progress)


def _refuse_too_few(
    experiment: Experiment, run: RunFolder, complete: list[Member], failed: dict[str, str]
) -> None:
    minimum = experiment.ensemble.minimum_members
    if len(complete) < minimum:
        causes = "; ".join(f"{name}: {reason}" for name, reason in failed.items())
        raise BuildError(
            f"{len(complete)} of {len(experiment.recipes)} members are complete, {minimum} are "
            f"needed ({causes}); logs: {run.log_folder}"
        )


def _join(run: RunFolder, complete: list[Member], prepared: Prepared) -> OofTable:
    tables = {member.id: member_table(member, "oof") for member in complete}
    names = {member.id: member.name for member in complete}
    oof = join_members(tables, prepared.manifest, prepared.folds, names)
    oof.write(run.oof_file)
    return oof


def _stack_and_report(
    experiment: Experiment,
    run: RunFolder,
    prepared: Prepared,
    complete: list[Member],
    oof: OofTable,
    failed: dict[str, str],
    machine: dict[str, Any],
) -> Iterator[Event]:
    """Fit, score and describe the stack, unless it stands already for these very rows."""
    facts = [
        oof.table.schema.metadata[b"members"].decode(),
        prepared.manifest.content,
        prepared.folds.content,
        sorted(failed.items()),
        experiment.ensemble.model_dump(),
        experiment.evaluate.model_dump(),
    ]
    about = digest(facts)
    scored = run.metrics_file.exists() and read_json(run.metrics_file).get("about") == about
    if not scored or complete_marker(run.stack_folder) is None:
        yield Stage("fitting and scoring the stack")
        settings = experiment.ensemble
        candidates = [
            cross_fit(kind, oof, settings.logistic_penalty) for kind in settings.meta_learners
        ]
        chosen = choose(candidates, oof)
        names = {member.id: member.name for member in complete}
        stack = fit_stack(
            chosen.kind, oof, names, prepared.manifest.classes, settings.logistic_penalty
        )
        write_stack(stack, run.stack_folder)
        metrics = score_run(experiment, prepared, complete, oof, candidates, stack, failed, machine)
        write_json(run.metrics_file, {"about": about, **metrics})
    yield Stage("writing the report")
    write_report(run)
