"""`raymed compare`: techniques switched on and off, on the same folds and seeds."""

from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from raymed.config import Experiment, Variants, derive_variants
from raymed.errors import BuildError, InputError
from raymed.files import complete, digest, mark_complete, read_json, write_json
from raymed.pipeline.compare.contenders import Milliseconds, contenders_of
from raymed.pipeline.compare.gains import compare_contenders
from raymed.pipeline.compare.joined import Joined, join_repeat, joined_contenders
from raymed.pipeline.compare.left_out import site_accuracies
from raymed.pipeline.compare.measured import SEEN_ROWS, measure
from raymed.pipeline.compare.repeats import Repeat, first_failures, train_repeats
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.held import held
from raymed.pipeline.inference import measure_inference
from raymed.pipeline.members import check_recipe
from raymed.pipeline.placement import placed
from raymed.pipeline.prepare import prepare
from raymed.pipeline.recording import recorded
from raymed.pipeline.sharpness import SETTINGS
from raymed.report import COMPARISON_FILES, write_comparison
from raymed.runs import RunFolder, now
from raymed.stories import result_of

SCHEMA = 1


@dataclass(frozen=True)
class Compared:
    """What a comparison left behind; `failed` maps a member's name to its first exception."""

    run: RunFolder
    comparison: dict[str, Any]
    failed: dict[str, str]


def compare(
    experiment: Experiment, run: Path | str | None = None, *, sharpness: bool = True
) -> Compared:
    """Compare techniques on an experiment's data, in its run folder (default `./runs/<name>`).

    Members of a build are reused, and a build's own files stay as they are. The same call again
    continues where it was stopped. Raises `InputError` for bad input and `BuildError` when no
    choice is left to compare.
    """
    return result_of(compare_events(experiment, run, sharpness=sharpness))


def compare_events(
    experiment: Experiment, run: Path | str | None = None, *, sharpness: bool = True
) -> Generator[Event, None, Compared]:
    """Compare, telling what happens; the generator returns `Compared`."""
    folder = RunFolder.of(experiment, run)
    return (yield from held(folder, _stages(experiment, folder, sharpness)))


@dataclass(frozen=True)
class _Subject:
    """What is compared: choices whose members are complete in every repeat."""

    variants: Variants
    repeats: Sequence[Repeat]
    joins: bool  # whether single, mean and stack of all members are compared too
    sharpness: bool
    device: str

    @property
    def first(self) -> Repeat:
        """The repeat in the run's own folder."""
        return self.repeats[0]

    @property
    def names(self) -> list[str]:
        """The recipes that choices need, each once."""
        return list(dict.fromkeys(choice.recipe for choice in self.variants.choices))


def _stages(
    experiment: Experiment, folder: RunFolder, sharpness: bool
) -> Generator[Event, None, Compared]:
    """Go through the stages of a comparison, in a folder that is held."""
    folder.refuse_other(experiment)
    variants = yield from _built_once(experiment)
    joins = "ensemble" in experiment.compare.techniques
    recipes = {**(experiment.recipes if joins else {}), **variants.recipes}
    varied = experiment.compare.model_copy(update={"recipe": experiment.compared_recipe})
    wide = experiment.model_copy(update={"recipes": recipes, "compare": varied})
    placement = yield from placed(wide, folder)
    events = prepare(experiment, folder, keep=True)
    prepared = yield from recorded(events, folder, experiment.name)
    repeats = yield from train_repeats(wide, folder, prepared, placement)
    failed = first_failures(repeats)
    variants = variants.without({name: f"failed: {why}" for name, why in failed.items()})
    joins = joins and all(repeat.members for repeat in repeats)
    if not variants.choices and not joins:
        causes = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise BuildError(f"nothing is left to compare ({causes}); logs: {folder.log_folder}")
    subject = _Subject(variants, repeats, joins, sharpness, placement.own_device)
    return Compared(folder, (yield from _compared(subject)), failed)


def _built_once(experiment: Experiment) -> Generator[Event, None, Variants]:
    """Build every model once; leave out a variant whose own cannot be built, and say why."""
    variants = derive_variants(experiment)
    recipes = {**experiment.recipes, **variants.recipes}
    broken: dict[str, str] = {}
    for done, (name, recipe) in enumerate(recipes.items()):
        yield Stage("building every model once", done, len(recipes))
        try:
            check_recipe(name, recipe)
        except InputError as error:
            if name in experiment.recipes:
                raise
            broken[name] = f"cannot be built: {error.fault}"
    return variants.without(broken)


def _compared(subject: _Subject) -> Generator[Event, None, dict[str, Any]]:
    """Write the comparison, unless it stands already for these very members; give its JSON."""
    folder = subject.first.run.comparison_folder
    sites = site_accuracies(subject.first, subject.names)
    about = _about(subject, sites)
    done = complete(folder)
    if done is None or done["about"] != about:
        name = subject.first.experiment.name
        events = _measured(subject)
        measured, joined, times = yield from recorded(events, subject.first.run, name)
        yield Stage("comparing")
        choices = subject.variants.choices
        contenders = contenders_of(choices, subject.repeats, measured, times, sites)
        contenders += joined_contenders(joined, times) if joined else []
        rows = compare_contenders(contenders, subject.repeats)
        write_json(folder / COMPARISON_FILES[0], {**_facts(subject), "rows": rows})
        write_comparison(subject.first.run)
        mark_complete(folder, list(COMPARISON_FILES), about=about)
    found: dict[str, Any] = read_json(folder / COMPARISON_FILES[0])
    return found


def _measured(
    subject: _Subject,
) -> Generator[Event, None, tuple[dict[str, dict[str, Any]], list[Joined], Milliseconds]]:
    """Measure members, by id; join each repeat's, if asked to; time the first one's."""
    left = [(each.members[name], each) for each in subject.repeats for name in subject.names]
    measured = {}
    for done, (member, repeat) in enumerate(left):
        yield Stage("measuring members", done, len(left))
        measured[member.id] = measure(member, repeat, subject.device, sharpness=subject.sharpness)
    joined: list[Joined] = []
    for done, repeat in enumerate(subject.repeats if subject.joins else ()):
        yield Stage("joining members", done, len(subject.repeats))
        joined.append(join_repeat(repeat))
    yield Stage("timing predictions")
    times = measure_inference(
        subject.first.run.comparison_folder / "inference.json",
        list(subject.first.members.values()),
        joined[0].learners if joined else {},
        subject.first.prepared,
        subject.device,
    )
    return measured, joined, times["milliseconds"]


def _about(subject: _Subject, sites: Mapping[str, Any]) -> str:
    """Name what a comparison rests on, so that it is not done twice."""
    experiment = subject.first.experiment
    members = [
        {name: member.id for name, member in repeat.members.items()} for repeat in subject.repeats
    ]
    told = [asdict(each) for each in subject.variants.choices]
    left_out = [asdict(each) for each in subject.variants.left_out]
    wishes = [experiment.ensemble.model_dump(), experiment.evaluate.draws, subject.sharpness]
    settings = [SCHEMA, SEEN_ROWS, SETTINGS]
    return digest([settings, wishes, subject.joins, members, told, left_out, sites])


def _facts(subject: _Subject) -> dict[str, Any]:
    experiment, prepared = subject.first.experiment, subject.first.prepared
    test, people = prepared.manifest.is_test, prepared.manifest.table["patient"]
    return {
        "schema": SCHEMA,
        "name": experiment.name,
        "created": now(),
        "recipe": experiment.compared_recipe if subject.variants.choices else None,
        "seeds": [repeat.experiment.seed for repeat in subject.repeats],
        "folds": prepared.folds.count,
        "draws": experiment.evaluate.draws,
        "patients_declared": prepared.manifest.patients_declared,
        "samples": int((~test).sum()),
        "patients": int(people[~test].nunique()),
        "test_samples": int(test.sum()),
        "test_patients": int(people[test].nunique()),
        "seen_rows": SEEN_ROWS,
        "sharpness": {key: SETTINGS[key] for key in ("rho", "steps", "noise")},
        "device": subject.device,
        "left_out": [asdict(each) for each in subject.variants.left_out],
    }
