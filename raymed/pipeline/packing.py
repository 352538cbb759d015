"""Small models share a card: which units run together, and how many processes at once."""

import platform
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from raymed.cluster import Finished, Reported, cards_here, run_units, start_engine
from raymed.cluster.packing import processes_a_card
from raymed.cluster.scratch import Scratch
from raymed.config import Experiment, Recipe
from raymed.errors import DiskFullError
from raymed.pipeline.decoding import ImageCache
from raymed.pipeline.events import Event, Note, Stage
from raymed.pipeline.footprints import (
    Footprint,
    FootprintUnit,
    footprint_file,
    read_footprint,
    write_footprint,
)
from raymed.pipeline.members import Scheme
from raymed.pipeline.placement import Placement
from raymed.pipeline.units import FeatureUnit, FoldUnit

AnyUnit = FeatureUnit | FoldUnit


@dataclass(frozen=True)
class Pack:
    """Units that run together: `count` processes at once, each with `share` of a GPU."""

    units: tuple[AnyUnit, ...]
    count: int
    share: float


def packs(
    units: Sequence[AnyUnit], placement: Placement, together: Mapping[Recipe, int]
) -> list[Pack]:
    """Divide units by how many processes of their recipe share a card (`together`, else one).

    One pack after the other has all cards, the one of the first unit first; units keep their
    order. Each process needs a core of its node.
    """
    found: dict[int, list[AnyUnit]] = {}
    for unit in units:
        found.setdefault(together.get(unit.recipe, 1), []).append(unit)
    made = []
    for each, own in found.items():
        count, share = placement.workers, placement.gpus / placement.workers
        if each > 1:
            share = 1 / each
            count = max(count, sum(node.holds(share) for node in placement.cards))
        made.append(Pack(tuple(own), count, share))
    return made


def processes_at_once(made: Sequence[Pack]) -> int:
    """Tell how many processes work at once in the mean over all packs' units."""
    units = sum(len(pack.units) for pack in made)
    rounds = sum(len(pack.units) / pack.count for pack in made)
    return max(1, round(units / rounds)) if units else 1


def measured_together(
    experiment: Experiment,
    schemes: Sequence[Scheme],
    units: Sequence[AnyUnit],
    placement: Placement,
    scratch: Scratch,
) -> Generator[Event, None, dict[Recipe, int]]:
    """Tell how many processes of each recipe may share a card, measuring what is not known yet.

    Nothing is measured where every unit has a card anyway, or cards are of several kinds. A recipe
    that cannot be measured has a card for itself: its first fold will say why.
    """
    if not placement.cards or len(units) <= placement.workers:
        return {}
    kind = placement.gpu_kind
    cards = cards_here() or [platform.node()] if kind is None else [kind]
    if len(cards) > 1:
        return {}
    cache = experiment.cluster.cache_folder
    known: dict[Recipe, Footprint] = {}
    asked: list[FootprintUnit] = []
    for unit in _of_each_recipe(schemes, units, experiment, placement.device):
        footprint = read_footprint(footprint_file(cache, unit.recipe, cards))
        if footprint is None:
            asked.append(unit)
        else:
            known[unit.recipe] = footprint
    if asked:
        yield Stage("measuring the memory that models take of a card", 0, len(asked))
        count = min(len(asked), int(placement.gpus))
        engine = start_engine("workers", count, 1, scratch, placement.gpu_kind, placement.patience)
        for done, said in enumerate(
            said for said in run_units(asked, engine) if not isinstance(said, Reported)
        ):
            unit = said.unit
            if isinstance(said, Finished):
                known[unit.recipe] = said.result
                _keep(footprint_file(cache, unit.recipe, cards), said.result)
            else:
                yield Note(f"{unit.member} could not be measured: {said.reason}", warning=True)
            yield Stage("measuring the memory that models take of a card", done + 1, len(asked))
    return {
        recipe: processes_a_card(footprint.unit_bytes, footprint.card_bytes)
        for recipe, footprint in known.items()
    }


def _of_each_recipe(
    schemes: Sequence[Scheme], units: Sequence[AnyUnit], experiment: Experiment, device: str
) -> list[FootprintUnit]:
    """List what measures each recipe of the units once, but those that processes share."""
    left, found = {unit.recipe for unit in units if unit.recipe.workers == 1}, {}
    cache = ImageCache.of(experiment.cluster)
    for scheme in schemes:
        manifest = scheme.prepared.manifest
        for member in scheme.members:
            recipe = member.recipe
            if recipe in left and recipe not in found:
                images = cache.source(
                    manifest, recipe.size, scheme.run.manifest_file, experiment.data
                )
                found[recipe] = FootprintUnit(
                    member.name, recipe, scheme.run, images, len(manifest.classes), device
                )
    return list(found.values())


def _keep(file: Path, footprint: Footprint) -> None:
    try:
        write_footprint(file, footprint)
    except DiskFullError:
        return  # it is measured again
