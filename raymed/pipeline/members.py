"""Members: planned by content, trained unit by unit, completed or failed by name."""

import platform
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch
import yaml

from raymed.config import SCHEMA_VERSION, Experiment, Recipe
from raymed.data import Folds, Manifest, image_file
from raymed.data.samples import SampleColumns
from raymed.ensemble import member_rows
from raymed.errors import InputError
from raymed.files import complete, digest, mark_complete, whole_file, write_text
from raymed.models import build_classifier, layer_groups, weights_identity
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.prepare import Prepared
from raymed.runs import MemberFolder, RunFolder
from raymed.training import FoldContext, Progress, compute_features, feature_file, train_fold


@dataclass(frozen=True)
class Member:
    """A recipe with its place in a run: name, identity, folder."""

    name: str
    recipe: Recipe
    folder: MemberFolder

    @property
    def id(self) -> str:
        """The hash of recipe, folds, seed, manifest content and recipe-schema version."""
        return self.folder.id


@dataclass(frozen=True)
class FeatureUnit:
    """The features of one frozen backbone, for all folds of its probes."""

    member: str
    recipe: Recipe
    images: Path
    target: Path
    device: str
    seed: int
    part: str = "features"

    def work(self) -> Iterator[Progress]:
        """Compute them."""
        yield from compute_features(self.recipe, self.images, self.target, self.device, self.seed)


@dataclass(frozen=True)
class FoldUnit:
    """One recipe on one fold."""

    member: str
    recipe: Recipe
    run: Path
    member_id: str
    fold: int
    images: Path
    features: Path | None
    device: str
    seed: int
    checkpoint_seconds: float

    @property
    def part(self) -> str:
        """What the terminal calls it."""
        return f"fold {self.fold}"

    def work(self) -> Iterator[Progress]:
        """Train it in an attempt of its own, then name that attempt as the one that counts."""
        folder = RunFolder(self.run).member(self.member_id)
        earlier = tuple(folder.earlier_attempts(self.fold))
        attempt = folder.start_attempt(self.fold)
        context = FoldContext(
            self.member_id,
            attempt,
            earlier,
            self.images,
            self.features,
            self.device,
            self.seed,
            self.checkpoint_seconds,
        )
        started = time.monotonic()
        if self.features is not None:  # there already, unless the cache was cleaned meanwhile
            yield from compute_features(
                self.recipe, self.images, self.features, self.device, self.seed
            )
        yield from train_fold(self.recipe, self.fold, _samples(self.run), context)
        folder.finish_fold(
            self.fold,
            attempt,
            seconds=round(time.monotonic() - started, 3),
            device=self.device,
            threads=torch.get_num_threads(),
            processor=platform.machine(),
            torch=torch.__version__,
        )


def check_recipes(experiment: Experiment) -> Iterator[Event]:
    """Build every recipe's model once, before anything is read.

    Raises `InputError` for what would fail on every fold: model, weights, size, layer groups.
    """
    count = len(experiment.recipes)
    for done, (name, recipe) in enumerate(experiment.recipes.items()):
        yield Stage("building every model once", done, count)
        _try_to_build(name, recipe)


def plan_members(experiment: Experiment, run: RunFolder, prepared: Prepared) -> list[Member]:
    """Give every recipe its identity; two recipes that mean the same are refused."""
    members = []
    for name, recipe in experiment.recipes.items():
        member = Member(name, recipe, run.member(_identity(experiment, recipe, prepared)))
        members.append(member)
    twins = {member.id: member.name for member in members}
    for member in members:
        if twins[member.id] != member.name:
            raise InputError(
                f"recipes.{member.name}",
                f"is the same recipe as {twins[member.id]!r}",
                "remove one of them",
            )
    return members


def feature_units(
    experiment: Experiment, members: list[Member], manifest: Manifest, device: str
) -> list[FeatureUnit]:
    """List the features that incomplete probes need and the cache lacks, each once."""
    units: dict[Path, FeatureUnit] = {}
    cache = experiment.cluster.cache_folder
    for member in members:
        if not member.recipe.is_probe or complete(member.folder.path) is not None:
            continue
        target = feature_file(cache, member.recipe, manifest.images, experiment.seed)
        if complete(target.parent) is None and target not in units:
            images = image_file(cache, manifest, member.recipe.size)
            units[target] = FeatureUnit(
                member.name, member.recipe, images, target, device, experiment.seed
            )
    return list(units.values())


def fold_units(
    experiment: Experiment, run: RunFolder, members: list[Member], prepared: Prepared, device: str
) -> list[FoldUnit]:
    """List the folds that are not complete, fine-tuned members first: they take longest."""
    cache, seed, manifest = experiment.cluster.cache_folder, experiment.seed, prepared.manifest
    units = []
    for member in sorted(members, key=lambda member: member.recipe.is_probe):
        if complete(member.folder.path) is not None:
            continue
        recipe, features = member.recipe, None
        if recipe.is_probe:
            features = feature_file(cache, recipe, manifest.images, seed)
        for fold in range(prepared.folds.count):
            if member.folder.completed_fold(fold) is None:
                units.append(
                    FoldUnit(
                        member.name,
                        recipe,
                        run.path,
                        member.id,
                        fold,
                        image_file(cache, manifest, recipe.size),
                        features,
                        device,
                        seed,
                        experiment.cluster.checkpoint_seconds,
                    )
                )
    return units


def finish_member(member: Member, folds: int) -> bool:
    """Join a member's folds and mark it complete; False while a fold is missing."""
    if complete(member.folder.path) is not None:
        return True
    attempts = [member.folder.completed_fold(fold) for fold in range(folds)]
    if any(attempt is None for attempt in attempts):
        return False
    parts = [pq.read_table(attempt / "predictions.parquet") for attempt in attempts if attempt]
    for name, split in (("oof.parquet", "train"), ("test.parquet", "test")):
        with whole_file(member.folder.path / name) as temporary:
            pq.write_table(member_rows(parts, split), temporary)
    write_text(
        member.folder.path / "recipe.yaml",
        yaml.safe_dump({"name": member.name, "recipe": member.recipe.model_dump(mode="json")}),
    )
    seconds = sum(member.folder.fold_facts(fold)["seconds"] for fold in range(folds))
    mark_complete(
        member.folder.path,
        ["oof.parquet", "test.parquet"],
        name=member.name,
        id=member.id,
        folds=folds,
        seconds=round(seconds, 3),
    )
    return True


def member_table(member: Member, split: str) -> pa.Table:
    """Read a complete member's rows: `oof` or `test`."""
    return pq.read_table(member.folder.path / f"{split}.parquet")


def _identity(experiment: Experiment, recipe: Recipe, prepared: Prepared) -> str:
    content: dict[str, Any] = recipe.model_dump(mode="json")
    content["pretrained"] = weights_identity(recipe.pretrained)
    return digest(
        [
            content,
            prepared.folds.content,
            experiment.seed,
            prepared.manifest.content,
            SCHEMA_VERSION,
        ]
    )[:12]


def _try_to_build(name: str, recipe: Recipe) -> None:
    try:
        model = build_classifier(recipe, classes=2)
        if any(phase.ratio != 1 for phase in recipe.phases):
            layer_groups(model)
    except InputError as error:
        raise InputError(f"recipes.{name}.{error.place}", error.fault, error.remedy) from None


@lru_cache(maxsize=2)
def _samples(run: Path) -> SampleColumns:
    folder = RunFolder(run)
    return SampleColumns.of(Manifest.read(folder.manifest_file), Folds.read(folder.folds_file))
