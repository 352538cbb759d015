"""`raymed compare`: techniques switched on and off, on the same folds and seeds."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from raymed.config import Experiment, Variants, derive_variants
from raymed.errors import BuildError, InputError
from raymed.files import complete, mark_complete, read_json, write_json
from raymed.pipeline.compare.contenders import Contender, Milliseconds, contenders_of
from raymed.pipeline.compare.gains import compare_contenders
from raymed.pipeline.compare.joined import Joined, join_repeat, joined_contenders
from raymed.pipeline.compare.left_out import site_accuracies
from raymed.pipeline.compare.measured import measure
from raymed.pipeline.compare.repeats import first_failures, train_repeats, unfilled
from raymed.pipeline.compare.subject import Subject, about_comparison, comparison_facts
from raymed.pipeline.compare.with_and_without import stack_without, with_and_without
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.held import held
from raymed.pipeline.inference import measure_inference
from raymed.pipeline.members import check_recipe
from raymed.pipeline.placement import placed
from raymed.pipeline.prepare import prepare
from raymed.pipeline.recording import recorded
from raymed.report import COMPARISON_FILES, write_comparison
from raymed.runs import RunFolder
from raymed.stories import result_of


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
    unfit = unfilled(experiment, wide.recipes, prepared)
    variants = variants.without(unfit)
    kept = {name: recipe for name, recipe in wide.recipes.items() if name not in unfit}
    wide = wide.model_copy(update={"recipes": kept})
    repeats = yield from train_repeats(wide, folder, prepared, placement)
    failed = first_failures(repeats)
    variants = variants.without({name: f"failed: {why}" for name, why in failed.items()})
    joins = joins and all(repeat.members for repeat in repeats)
    if not variants.choices and not joins:
        causes = "; ".join(f"{name}: {why}" for name, why in failed.items())
        raise BuildError(f"nothing is left to compare ({causes}); logs: {folder.log_folder}")
    subject = Subject(variants, repeats, joins, sharpness, placement.own_device)
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


def _compared(subject: Subject) -> Generator[Event, None, dict[str, Any]]:
    """Write the comparison, unless it stands already for these very members; give its JSON."""
    folder = subject.first.run.comparison_folder
    sites = site_accuracies(subject.first, subject.names)
    about = about_comparison(subject, sites)
    done = complete(folder)
    if done is None or done["about"] != about:
        name = subject.first.experiment.name
        events = _measured(subject)
        measured, joined, times = yield from recorded(events, subject.first.run, name)
        pairs = yield from _with_and_without(subject, joined)
        yield Stage("comparing")
        choices = subject.variants.choices
        contenders = contenders_of(choices, subject.repeats, measured, times, sites)
        contenders += joined_contenders(joined, times) if joined else []
        rows = compare_contenders([*contenders, *pairs], subject.repeats)
        own, stacks = rows[: len(contenders)], rows[len(contenders) :]
        content = {**comparison_facts(subject), "rows": own, "stacks": stacks}
        write_json(folder / COMPARISON_FILES[0], content)
        write_comparison(subject.first.run)
        mark_complete(folder, list(COMPARISON_FILES), about=about)
    found: dict[str, Any] = read_json(folder / COMPARISON_FILES[0])
    return found


def _measured(
    subject: Subject,
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


def _with_and_without(
    subject: Subject, joined: list[Joined]
) -> Generator[Event, None, list[Contender]]:
    """Fit a stack without each technique's members, where members are joined."""
    techniques = subject.techniques if joined else []
    pairs: list[Contender] = []
    for done, technique in enumerate(techniques):
        yield Stage("stacking without each technique", done, len(techniques))
        smaller = [stack_without(technique, repeat) for repeat in subject.repeats]
        there = [each for each in smaller if each is not None]
        if len(there) == len(smaller):
            pairs += with_and_without(technique, joined, there)
    return pairs
