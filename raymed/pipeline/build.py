"""`raymed build`: from a folder of scans to a stacked ensemble and its report."""

import time
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymed.config import Experiment
from raymed.errors import BuildError
from raymed.files import read_json
from raymed.pipeline.augmented import draw_augmented
from raymed.pipeline.events import Event, Note, Stage
from raymed.pipeline.gallery import draw_gallery
from raymed.pipeline.held import held
from raymed.pipeline.members import Member, Scheme, check_recipes, plan_members
from raymed.pipeline.placement import placed
from raymed.pipeline.prepare import prepare
from raymed.pipeline.recording import recorded
from raymed.pipeline.sharpness import measure_members
from raymed.pipeline.sites import plan_left_out_sites, score_left_out_sites
from raymed.pipeline.stacking import join_oof, stack_and_score
from raymed.pipeline.training import train_members
from raymed.report import publish_report
from raymed.runs import RunFolder, now
from raymed.stories import result_of


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
    return result_of(build_events(experiment, run))


def build_events(
    experiment: Experiment, run: Path | str | None = None
) -> Generator[Event, None, Built]:
    """Build, telling what happens; the generator returns `Built`."""
    folder = RunFolder.of(experiment, run)
    stages = _stages(experiment, folder)
    return (yield from held(folder, recorded(stages, folder, experiment.name)))


def _stages(experiment: Experiment, folder: RunFolder) -> Generator[Event, None, Built]:
    """Go through the stages of a build, in a folder that is held."""
    started, clock = now(), time.monotonic()
    folder.refuse_other(experiment)
    placement = yield from placed(experiment, folder)
    yield from check_recipes(experiment)
    prepared = yield from prepare(experiment, folder)
    grouped = Scheme(folder, prepared, plan_members(experiment, folder, prepared))
    left_out = plan_left_out_sites(experiment, folder, prepared)
    schemes = [grouped] if left_out is None else [grouped, left_out]
    all_failed = yield from train_members(experiment, folder, schemes, placement)
    failed = {name: why for name, why in all_failed.items() if name in experiment.recipes}
    complete = grouped.finished(failed)
    _refuse_too_few(experiment, folder, complete, failed)
    yield Stage("joining out-of-fold predictions")
    oof = join_oof(folder, complete, prepared)
    yield from stack_and_score(
        experiment,
        folder,
        prepared,
        complete,
        oof,
        failed,
        {**vars(placement), "started": started, "clock": clock},
    )
    if left_out is not None:
        yield from score_left_out_sites(experiment, grouped, left_out, complete, all_failed)
    yield from measure_members(experiment, complete, prepared, placement.own_device)
    yield from draw_gallery(experiment, folder, complete, prepared, placement.own_device)
    yield from draw_augmented(experiment, folder, complete, prepared)
    yield Stage("writing the report")
    published = publish_report(folder)
    if published.undrawn is not None:
        yield Note(published.undrawn)
    return Built(folder, read_json(folder.metrics_file), all_failed)


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
