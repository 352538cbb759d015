"""The build's long stage: what is left of the members is trained, unit by unit, on an engine."""

from collections.abc import Generator, Iterator, Mapping, Sequence
from pathlib import Path

from raymed.cluster import Engine, Failed, Finished, run_units, start_engine
from raymed.config import Experiment
from raymed.pipeline.events import Event, MemberFailed, Note, Plan, Stage, Training
from raymed.pipeline.members import Scheme
from raymed.pipeline.nodes import Heard
from raymed.pipeline.ordering import expected_seconds, longest_first
from raymed.pipeline.packing import measured_together, packs, processes_at_once
from raymed.pipeline.placement import Placement
from raymed.pipeline.units import FeatureUnit, FoldUnit, board_rows, feature_units, fold_units
from raymed.runs import MemberFolder, RunFolder
from raymed.training import Progress


def train_members(
    experiment: Experiment, run: RunFolder, schemes: Sequence[Scheme], placement: Placement
) -> Generator[Event, None, dict[str, str]]:
    """Work on what is left, one scheme's members after the other's.

    Returns the members that failed, each with its first exception.
    """
    units = _units(experiment, schemes, placement.device)
    failed: dict[str, str] = {}
    yield _plan(schemes, units, run, placement.workers)
    yield Stage("training", 0, len(units))
    if not units:
        return failed
    what = "workers" if placement.engine == "workers" else "processes of Ray Train"
    folders = {each.name: each.folder for scheme in schemes for each in scheme.members}
    with placement.session(run) as scratch:
        together = yield from measured_together(experiment, schemes, units, placement, scratch)
        made = packs(units, placement, together)
        if together:
            yield _plan(schemes, units, run, processes_at_once(made))
            yield Stage("training", 0, len(units))
        for pack in made:
            count = min(pack.count, sum(unit.workers for unit in pack.units))
            members = "" if len(made) == 1 else f" for {_named(pack.units)}"
            yield Note(f"starting {count} {what} on {placement.told}{members}")
            kind = placement.gpu_kind
            engine = start_engine(
                placement.engine, count, pack.share, scratch, kind, placement.patience
            )
            yield from _work(folders, pack.units, engine, failed)
            del engine  # its processes go with it
    return failed


def _plan(
    schemes: Sequence[Scheme],
    units: Sequence[FeatureUnit | FoldUnit],
    run: RunFolder,
    workers: int,
) -> Plan:
    rows = [row for scheme in schemes for row in board_rows(scheme, units, _below(scheme.run, run))]
    return Plan(tuple(rows), min(workers, max(1, len(units))))


def _named(units: Sequence[FeatureUnit | FoldUnit]) -> str:
    return ", ".join(dict.fromkeys(unit.member for unit in units))


def _units(
    experiment: Experiment, schemes: Sequence[Scheme], device: str
) -> list[FeatureUnit | FoldUnit]:
    """List what is left: features, each once, and folds; the longest first."""
    features: dict[Path, FeatureUnit] = {}
    folds: list[FoldUnit] = []
    for scheme in schemes:
        for unit in feature_units(experiment, scheme.run, scheme.members, scheme.prepared, device):
            features.setdefault(unit.target, unit)
        folds += fold_units(experiment, scheme.run, scheme.members, scheme.prepared, device)
    units: list[FeatureUnit | FoldUnit] = [*features.values(), *folds]
    return longest_first(units, expected_seconds(schemes, units))


def _below(inner: RunFolder, outer: RunFolder) -> str:
    return "" if inner == outer else str(inner.path.relative_to(outer.path))


def _work(
    folders: Mapping[str, MemberFolder],
    units: Sequence[FeatureUnit | FoldUnit],
    engine: Engine[FeatureUnit | FoldUnit],
    failed: dict[str, str],
) -> Iterator[Event]:
    """Drive the units, a probe's folds after its features; adds to `failed`."""
    computing = {unit.target for unit in units if isinstance(unit, FeatureUnit)}
    heard = {(unit.member, unit.part): Heard() for unit in units}
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
                facts = {**event.result.facts, **heard[unit.member, unit.part].facts()}
                folders[unit.member].finish_fold(unit.fold, event.result.attempt, **facts)
            yield Training(unit.member, unit.part, Progress(1, 1), ended=True)
        else:
            heard[unit.member, unit.part].take(event.progress)
            yield Training(unit.member, unit.part, event.progress)
