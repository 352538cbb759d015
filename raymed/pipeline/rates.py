"""`raymed lr-find`: the learning rate range test of one member, on a fold's training rows."""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import torch

from raymed.config import Experiment
from raymed.data.samples import SampleColumns
from raymed.errors import InputError, did_you_mean
from raymed.files import write_json
from raymed.models import build_classifier
from raymed.pipeline.decoding import ImageCache
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.held import held
from raymed.pipeline.placement import place
from raymed.pipeline.prepare import prepare
from raymed.report.rates import write_rates_page
from raymed.runs import RunFolder
from raymed.training import RatePoint, rate_range, suggest_rate
from raymed.training.inputs import Inputs
from raymed.training.loop import Trainer
from raymed.training.seeds import FIRST_WEIGHTS, derive_seed


@dataclass(frozen=True)
class FoundRate:
    """What the test of one member's phase found; `page` shows the curve."""

    member: str
    phase: int
    points: tuple[RatePoint, ...]
    suggested: float | None
    page: Path


def find_rate(
    experiment: Experiment,
    run: Path | str | None = None,
    *,
    member: str | None = None,
    phase: int | None = None,
    steps: int = 100,
) -> Generator[Event, None, FoundRate]:
    """Run the test on fold 0's training rows.

    `member` is by default the first, `phase` (from 1) the first one that trains all layers.
    Writes `lr-find/<member>-phase-<n>.html` and `.json` into the run folder. Raises `InputError`
    for a member or phase that is not there.
    """
    name = _member(experiment, member)
    at = _phase(name, [p.train for p in experiment.recipes[name].phases], phase)
    folder = RunFolder.of(experiment, run)
    return (yield from held(folder, _stages(experiment, folder, name, at, steps)))


def _stages(
    experiment: Experiment, folder: RunFolder, name: str, at: int, steps: int
) -> Generator[Event, None, FoundRate]:
    """Go through the test, in a folder that is held."""
    recipe = experiment.recipes[name]
    folder.refuse_other(experiment)
    device = torch.device(place(experiment).device)
    prepared = yield from prepare(experiment, folder)
    samples = SampleColumns.of(prepared.manifest, prepared.folds)
    images = ImageCache.of(experiment.cluster).open(prepared.manifest, recipe.size)
    torch.manual_seed(derive_seed(experiment.seed, FIRST_WEIGHTS))
    model = build_classifier(recipe, samples.classes).to(device)
    inputs = Inputs(images, device, bf16=recipe.precision == "bf16")
    trainer = Trainer(recipe, inputs, samples, 0, experiment.seed)
    points: list[RatePoint] = []
    for point in rate_range(trainer, model, at, steps=steps):
        points.append(point)
        yield Stage("raising the learning rate", len(points), steps)
    place_of = folder.path / "lr-find" / f"{name}-phase-{at + 1}"
    found = suggest_rate(points)
    page = place_of.with_name(place_of.name + ".html")
    write_rates_page(page, f"{name}, phase {at + 1}", points, found)
    facts = {"member": name, "phase": at + 1, "suggested": found}
    rows = [vars(point) for point in points]
    write_json(place_of.with_name(place_of.name + ".json"), {**facts, "points": rows})
    return FoundRate(name, at + 1, tuple(points), found, page)


def _member(experiment: Experiment, member: str | None) -> str:
    names = list(experiment.recipes)
    if member is None:
        return names[0]
    if member not in names:
        hint = did_you_mean(member, names) or f"members are {', '.join(names)}"
        raise InputError("--member", f"there is no {member!r}", hint)
    return member


def _phase(name: str, trained: list[str], phase: int | None) -> int:
    if phase is None:
        return trained.index("all") if "all" in trained else 0
    if not 1 <= phase <= len(trained):
        raise InputError(
            "--phase", f"{name} has {len(trained)} phases, not {phase}", "count from 1"
        )
    return phase - 1
