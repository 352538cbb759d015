"""Which units go first: the longest, so that none runs on alone when all others are done."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import mean

from raymed.config import Phase, Recipe, Sam
from raymed.data.samples import SampleColumns
from raymed.models import build_classifier, describe_model
from raymed.pipeline.members import Member, Scheme
from raymed.pipeline.units import FeatureUnit, FoldUnit

_FORWARD, _WITH_BACKWARD = 1.0, 3.0
"""Forward passes that an image costs in a phase of the head, and in one of all layers."""
_HEAD = 1e-4
"""The part of a model's multiply-adds that a probe's head has, about."""


def longest_first(
    units: Iterable[FeatureUnit | FoldUnit], expected: Mapping[tuple[str, str], float]
) -> list[FeatureUnit | FoldUnit]:
    """Sort units by what they are expected to take, by member and part; as they came where even.

    What is not in `expected` comes first. A unit's bits do not depend on the order.
    """
    last = float("inf")
    return sorted(units, key=lambda unit: -expected.get((unit.member, unit.part), last))


def expected_seconds(
    schemes: Sequence[Scheme], units: Iterable[FeatureUnit | FoldUnit]
) -> dict[tuple[str, str], float]:
    """Estimate what units take, by member and part.

    A fold takes what those of its member took that are complete. For the others the multiply-adds
    of the training are counted: billions of them, or seconds once some member was measured.
    Empty where there is no choice, with units of one member alone.
    """
    units = list(units)
    left = {unit.member for unit in units}
    if len(left) < 2:
        return {}
    work: dict[str, float] = {}
    features: dict[str, float] = {}
    measured: dict[str, float] = {}
    for scheme in schemes:
        samples = SampleColumns.of(scheme.prepared.manifest, scheme.prepared.folds)
        for member in scheme.members:
            seconds = _measured(member, scheme.prepared.folds.count)
            if member.name in left or seconds is not None:
                gmacs = model_gmacs(member.recipe)
                work[member.name] = fold_work(
                    member.recipe, gmacs, images_an_epoch(member, samples)
                )
                features[member.name] = gmacs * len(samples.labels)
            if seconds is not None:
                measured[member.name] = seconds
    folds = in_seconds(work, measured)
    rate = _rate(work, measured)
    return {
        (unit.member, unit.part): folds[unit.member]
        + (features[unit.member] * rate if isinstance(unit, FeatureUnit) else 0.0)
        for unit in units
    }


def in_seconds(work: Mapping[str, float], measured: Mapping[str, float]) -> dict[str, float]:
    """Give each member's measured seconds, or its work at the pace of those that were measured."""
    rate = _rate(work, measured)
    return {name: measured.get(name, amount * rate) for name, amount in work.items()}


def _rate(work: Mapping[str, float], measured: Mapping[str, float]) -> float:
    known = sum(work[name] for name in measured)
    return sum(measured.values()) / known if known else 1.0


def fold_work(recipe: Recipe, gmacs: float, images: int) -> float:
    """Count the multiply-adds of a fold's training, in billions, by each process that shares it.

    `gmacs` are those of one image forward, `images` are trained in an epoch. Augmentation and
    the reading of images do not count.
    """
    if recipe.is_probe:
        return gmacs * _HEAD * images * sum(phase.epochs for phase in recipe.phases)
    passes = sum(phase.epochs * _passes(phase) for phase in recipe.phases)
    return gmacs * images * passes * _sam_factor(recipe.sam) / recipe.workers


def _passes(phase: Phase) -> float:
    return _FORWARD if phase.train == "head" else _WITH_BACKWARD


def _sam_factor(sam: Sam | None) -> float:
    if sam is None or sam.variant == "msam":
        return 1.0
    return 1.0 + sam.part * sam.last / sam.every


def model_gmacs(recipe: Recipe) -> float:
    """Count the multiply-adds of one image, in billions; the weights are random."""
    return describe_model(build_classifier(recipe, 2, pretrained=False), recipe.size).gmacs


def images_an_epoch(member: Member, samples: SampleColumns) -> int:
    """Count the images that an epoch of the member's first fold trains."""
    rows = samples.training_rows(0)
    most = member.recipe.samples_per_patient
    if most is None:
        return len(rows)
    counts: dict[object, int] = {}
    for patient in samples.patients[rows]:
        counts[patient] = counts.get(patient, 0) + 1
    return sum(min(most, count) for count in counts.values())


def _measured(member: Member, folds: int) -> float | None:
    """Average the seconds of the folds that a marker calls complete."""
    done = [fold for fold in range(folds) if (member.folder.fold(fold) / "DONE.json").is_file()]
    seconds = [float(member.folder.fold_facts(fold)["seconds"]) for fold in done]
    return mean(seconds) if seconds else None
