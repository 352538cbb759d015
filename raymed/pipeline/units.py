"""Units of work: the features of a frozen backbone, one recipe on one fold."""

import platform
import time
from collections.abc import Collection, Generator
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from raymed.config import Experiment, Recipe
from raymed.data import Folds, Manifest
from raymed.data.samples import SampleColumns
from raymed.files import complete
from raymed.pipeline.board import FEATURES, Cell, Row
from raymed.pipeline.decoding import ImageCache, Sent
from raymed.pipeline.members import Member, Scheme, is_complete
from raymed.pipeline.memory import PeakMemory, card_name
from raymed.pipeline.prepare import Prepared
from raymed.runs import MemberFolder, RunFolder
from raymed.stories import Story
from raymed.training import (
    FoldContext,
    MicroBatch,
    Progress,
    Ranks,
    compute_features,
    feature_file,
    train_fold,
)


@dataclass(frozen=True)
class FeatureUnit:
    """The features of one frozen backbone, for all folds of its probes."""

    member: str
    recipe: Recipe
    run: RunFolder
    images: Sent
    target: Path
    device: str
    seed: int
    part: str = FEATURES

    @property
    def workers(self) -> int:
        """One process computes them."""
        return 1

    fewest = workers

    def work(self, checkpoint: Path | None = None) -> Generator[Progress, None, None]:
        """Compute them."""
        self.run.bring_inputs()
        images = yield from self.images.here()
        yield from compute_features(self.recipe, images, self.target, self.device, self.seed)


@dataclass(frozen=True)
class Trained:
    """The attempt that a fold's files lie in, and what is worth writing down about it."""

    attempt: Path
    facts: dict[str, Any]


@dataclass(frozen=True)
class FoldUnit:
    """One recipe on one fold."""

    member: str
    recipe: Recipe
    run: RunFolder
    member_id: str
    fold: int
    images: Sent
    features: Path | None
    device: str
    seed: int
    checkpoint_seconds: float

    @property
    def part(self) -> str:
        """What the terminal calls it."""
        return f"fold {self.fold}"

    @property
    def workers(self) -> int:
        """How many processes share it."""
        return self.recipe.workers

    @property
    def fewest(self) -> int:
        """With how few it begins or goes on."""
        return self.recipe.fewest_workers

    def work(self, checkpoint: Path | None = None) -> Generator[Progress, None, "Trained"]:
        """Train it in an attempt of its own; whether that attempt counts is the driver's to say.

        Goes on from `checkpoint`, or from an earlier attempt that came further.
        """
        self.run.bring_inputs()
        images = yield from self.images.here()
        folder, ranks = self.run.member(self.member_id), Ranks.here()
        if ranks.first:
            folder.bring_attempts(self.fold)
        earlier = folder.earlier_attempts(self.fold) + ([checkpoint] if checkpoint else [])
        attempt = ranks.agree(folder.start_attempt(self.fold) if ranks.first else Path())
        samples, card = _samples(self.run), card_name(self.device)
        learned = _learned(folder, samples.folds, card) if ranks.first else None
        context = FoldContext(
            self.member_id,
            attempt,
            tuple(earlier),
            images,
            self.features,
            self.device,
            self.seed,
            self.checkpoint_seconds,
            ranks=ranks,
            micro=MicroBatch(ranks.agree(learned)),
        )
        started, memory = time.monotonic(), PeakMemory.begin(self.device)
        if self.features is not None:  # there already, but in the cache of another node
            yield from compute_features(self.recipe, images, self.features, self.device, self.seed)
        training = Story(train_fold(self.recipe, self.fold, samples, context))
        for progress in training:
            if progress.checkpoint is not None and ranks.first:
                folder.keep_attempt(self.fold, attempt)
            yield progress
        if ranks.first:
            folder.keep_attempt(self.fold, attempt)
        facts = {
            "seconds": round(time.monotonic() - started, 3),
            "peak_bytes": memory.in_bytes(),
            "micro_batch": context.micro.most,
            "device": self.device,
            "card": card,
            "workers": ranks.world,
            "threads": torch.get_num_threads(),
            "processor": platform.machine(),
            "torch": torch.__version__,
            "moved": [asdict(group) for group in training.result],
        }
        return Trained(attempt, facts)


def feature_units(
    experiment: Experiment, run: RunFolder, members: list[Member], prepared: Prepared, device: str
) -> list[FeatureUnit]:
    """List the features that incomplete probes need and the cache lacks, each once."""
    units: dict[Path, FeatureUnit] = {}
    cache, manifest = experiment.cluster.cache_folder, prepared.manifest
    for member in members:
        if not member.recipe.is_probe or is_complete(member, prepared.folds.count):
            continue
        target = feature_file(cache, member.recipe, manifest.images, experiment.seed)
        if complete(target.parent) is None and target not in units:
            images = _source(experiment, run, prepared, member.recipe)
            units[target] = FeatureUnit(
                member.name, member.recipe, run, images, target, device, experiment.seed
            )
    return list(units.values())


def fold_units(
    experiment: Experiment, run: RunFolder, members: list[Member], prepared: Prepared, device: str
) -> list[FoldUnit]:
    """List the folds that are not complete."""
    cache, seed, manifest = experiment.cluster.cache_folder, experiment.seed, prepared.manifest
    units = []
    for member in members:
        if is_complete(member, prepared.folds.count):
            continue
        recipe, features = member.recipe, None
        images = _source(experiment, run, prepared, recipe)
        if recipe.is_probe:
            features = feature_file(cache, recipe, manifest.images, seed)
        for fold in range(prepared.folds.count):
            if member.folder.completed_fold(fold) is None:
                units.append(
                    FoldUnit(
                        member.name,
                        recipe,
                        run,
                        member.id,
                        fold,
                        images,
                        features,
                        device,
                        seed,
                        experiment.cluster.checkpoint_seconds,
                    )
                )
    return units


def _source(experiment: Experiment, run: RunFolder, prepared: Prepared, recipe: Recipe) -> Sent:
    cache = ImageCache.of(experiment.cluster)
    return cache.source(prepared.manifest, recipe.size, run.manifest_file, experiment.data)


def board_rows(scheme: Scheme, units: Collection[FeatureUnit | FoldUnit], below: str) -> list[Row]:
    """Tell which units are left of each member, and the seconds of those that are done.

    `below` is where the scheme's run folder lies in that of the build.
    """
    left = {(unit.member, unit.part) for unit in units}
    rows = []
    for member in scheme.members:
        cells = {FEATURES: Cell()} if (member.name, FEATURES) in left else {}
        for fold in range(scheme.prepared.folds.count):
            waits = (member.name, f"fold {fold}") in left
            seconds = None if waits else member.folder.fold_facts(fold)["seconds"]
            cells[f"fold {fold}"] = Cell() if waits else Cell("done", seconds=seconds)
        rows.append(Row(member.name, member.id, cells, below))
    return rows


def _learned(folder: MemberFolder, folds: int, card: str | None) -> int | None:
    """Give the least that the member's complete folds took at once, where memory had run out."""
    done = [fold for fold in range(folds) if (folder.fold(fold) / "DONE.json").is_file()]
    known = [facts for fold in done if (facts := folder.fold_facts(fold)).get("card") == card]
    learned = [facts["micro_batch"] for facts in known if facts.get("micro_batch") is not None]
    return min(learned, default=None)


@lru_cache(maxsize=2)
def _samples(run: RunFolder) -> SampleColumns:
    return SampleColumns.of(Manifest.read(run.manifest_file), Folds.read(run.folds_file))
