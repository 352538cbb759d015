"""The repeats of a comparison: the same recipes, each time on folds and a seed of its own."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from functools import cached_property

from raymed.config import Experiment, Recipe
from raymed.data import assign_folds
from raymed.data.samples import SampleColumns
from raymed.ensemble import OofTable, join_members
from raymed.errors import InputError
from raymed.pipeline.events import Event, Note
from raymed.pipeline.members import Member, Scheme, check_episodes, plan_members
from raymed.pipeline.placement import Placement
from raymed.pipeline.prepare import Prepared, freeze
from raymed.pipeline.recording import recorded
from raymed.pipeline.training import train_members
from raymed.runs import COMPARISON, RunFolder


@dataclass(frozen=True)
class Repeat:
    """One seed's folds and complete members; `failed` maps others to their first exception."""

    experiment: Experiment
    run: RunFolder
    prepared: Prepared
    members: Mapping[str, Member]
    failed: Mapping[str, str]

    @cached_property
    def samples(self) -> SampleColumns:
        """What its models learned from and predicted."""
        return SampleColumns.of(self.prepared.manifest, self.prepared.folds)

    def oof(self, members: Mapping[str, Member]) -> OofTable:
        """Join some of its members' out-of-fold rows."""
        files = {member.id: member.oof_file for member in members.values()}
        return join_members(files, self.prepared.manifest, self.prepared.folds)


def train_repeats(
    experiment: Experiment, run: RunFolder, prepared: Prepared, placement: Placement
) -> Generator[Event, None, list[Repeat]]:
    """Train every recipe in every repeat, as far as that is not done.

    The first repeat is the run's own: its members are those of a build. Each further one has a
    run folder of its own, beside the comparison.
    """
    repeats = []
    for number in range(experiment.compare.seeds):
        (own, divided), folder = divide(experiment, prepared, number), run
        if number:
            folder = run.below(f"{COMPARISON}/seed-{own.seed}")
            freeze(own, folder, divided.manifest, divided.folds)
            yield Note(f"once more with seed {own.seed}")
        events = _train(own, folder, divided, placement)
        repeats.append((yield from recorded(events, folder, experiment.name)))
    return repeats


def divide(experiment: Experiment, prepared: Prepared, number: int) -> tuple[Experiment, Prepared]:
    """Give a repeat, counted from 0, its seed and its folds; those of the first are the run's own.

    Others are drawn over the same samples; the test split stays, nothing is to learn from it.
    """
    if not number:
        return experiment, prepared
    own = experiment.model_copy(update={"seed": (experiment.seed + number) % 2**31})
    manifest = prepared.manifest
    return own, Prepared(manifest, assign_folds(manifest, own.data, own.seed))


def unfilled(
    experiment: Experiment, recipes: Mapping[str, Recipe], prepared: Prepared
) -> dict[str, str]:
    """Say of variants why the data of some repeat cannot fill their episodes.

    Raises `InputError` where the experiment's own recipes are among them.
    """
    found: dict[str, str] = {}
    for number in range(experiment.compare.seeds):
        _, divided = divide(experiment, prepared, number)
        for name, recipe in recipes.items():
            try:
                check_episodes(name, recipe, divided)
            except InputError as error:
                if name in experiment.recipes:
                    raise
                found.setdefault(name, f"{error.fault}")
    return found


def _train(
    experiment: Experiment, run: RunFolder, prepared: Prepared, placement: Placement
) -> Generator[Event, None, Repeat]:
    scheme = Scheme(run, prepared, plan_members(experiment, run, prepared))
    failed = yield from train_members(experiment, run, [scheme], placement)
    complete = {member.name: member for member in scheme.finished(failed)}
    return Repeat(experiment, run, prepared, complete, failed)


def first_failures(repeats: list[Repeat]) -> dict[str, str]:
    """Give each member that failed in some repeat with its first exception."""
    failed: dict[str, str] = {}
    for repeat in repeats:
        failed |= {name: why for name, why in repeat.failed.items() if name not in failed}
    return failed
