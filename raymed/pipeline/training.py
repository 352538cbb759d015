"""The build's long stage: what is left of the members is trained, unit by unit, on an engine."""

from collections.abc import Generator, Iterator, Sequence

from raymed.cluster import Engine, Failed, Finished, run_units, start_engine
from raymed.cluster.session import embedded_ray
from raymed.config import Experiment
from raymed.pipeline.events import Event, MemberFailed, Note, Stage, Training
from raymed.pipeline.members import Member
from raymed.pipeline.placement import Placement
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.units import FeatureUnit, FoldUnit, feature_units, fold_units, plan
from raymed.runs import RunFolder
from raymed.training import Progress


def train_members(
    experiment: Experiment,
    run: RunFolder,
    members: list[Member],
    prepared: Prepared,
    placement: Placement,
) -> Generator[Event, None, dict[str, str]]:
    """Work on what is left; returns the members that failed, each with its first exception."""
    workers, gpus = placement.workers, placement.gpus
    features = feature_units(experiment, members, prepared, placement.device)
    units = fold_units(experiment, run, members, prepared, placement.device)
    failed: dict[str, str] = {}
    yield plan(members, prepared.folds.count, [*features, *units], workers)
    yield Stage("training", 0, len(features) + len(units))
    if not units:
        return failed
    what = "workers" if placement.engine == "workers" else "processes of Ray Train"
    all_units: list[FeatureUnit | FoldUnit] = [*features, *units]
    count = min(workers, sum(unit.workers for unit in all_units))
    yield Note(f"starting {count} {what} on {placement.device}")
    with embedded_ray(workers, gpus, run.log_folder) as scratch:
        engine = start_engine(placement.engine, count, gpus / workers, scratch)
        yield from _work(run, members, all_units, engine, failed)
    return failed


def _work(
    run: RunFolder,
    members: list[Member],
    units: Sequence[FeatureUnit | FoldUnit],
    engine: Engine[FeatureUnit | FoldUnit],
    failed: dict[str, str],
) -> Iterator[Event]:
    """Drive the units, a probe's folds after its features; adds to `failed`."""
    folders = {member.name: member.folder for member in members}
    computing = {unit.target for unit in units if isinstance(unit, FeatureUnit)}
    for event in run_units(
        units,
        engine,
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
            if isinstance(unit, FoldUnit):
                folders[unit.member].finish_fold(
                    unit.fold, event.result.attempt, **event.result.facts
                )
            yield Training(unit.member, unit.part, Progress(1, 1), ended=True)
        else:
            yield Training(unit.member, unit.part, event.progress)
