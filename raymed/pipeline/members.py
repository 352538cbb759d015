"""Members: named by content, and joined when all their folds are there."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from raymed.config import SCHEMA_VERSION, Experiment, Recipe
from raymed.data.episodes import refuse_short_episodes
from raymed.data.samples import SampleColumns
from raymed.ensemble import member_rows
from raymed.errors import InputError
from raymed.files import complete, digest, mark_complete, whole_file, write_text
from raymed.models import Classifier, build_classifier, layer_groups, weights_identity
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.prepare import Prepared
from raymed.runs import MemberFolder, RunFolder
from raymed.tables import read_parquet
from raymed.training.checkpoints import load_final


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

    @property
    def oof_file(self) -> Path:
        """Its joined out-of-fold rows, once it is complete."""
        return self.folder.path / "oof.parquet"


@dataclass(frozen=True)
class Scheme:
    """A way to divide samples into folds, with the members that are trained on them."""

    run: RunFolder
    prepared: Prepared
    members: list[Member]

    def finished(self, failed: Container[str]) -> list[Member]:
        """Join the folds of every member that did not fail; those that are complete."""
        return [
            member
            for member in self.members
            if member.name not in failed and finish_member(member, self.prepared.folds.count)
        ]


def check_recipes(experiment: Experiment) -> Iterator[Event]:
    """Build every recipe's model once, before anything is read.

    Raises `InputError` for what would fail on every fold: model, weights, size, layer groups.
    """
    count = len(experiment.recipes)
    for done, (name, recipe) in enumerate(experiment.recipes.items()):
        yield Stage("building every model once", done, count)
        check_recipe(name, recipe)


def check_recipe(name: str, recipe: Recipe) -> None:
    """Build a recipe's model once; raises `InputError` for what would fail on every fold."""
    try:
        model = build_classifier(recipe, classes=2)
        if any(phase.discriminative for phase in recipe.phases):
            layer_groups(model)
    except InputError as error:
        raise InputError(f"recipes.{name}.{error.place}", error.fault, error.remedy) from None


def plan_members(experiment: Experiment, run: RunFolder, prepared: Prepared) -> list[Member]:
    """Give every recipe its identity; two recipes that mean the same are refused.

    So is a prototypical head whose episodes the data cannot fill.
    """
    members = []
    for name, recipe in experiment.recipes.items():
        check_episodes(name, recipe, prepared)
        member = Member(name, recipe, run.member(member_identity(experiment, recipe, prepared)))
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


def check_episodes(name: str, recipe: Recipe, prepared: Prepared) -> None:
    """Raise `InputError` for a prototypical head whose episodes the data cannot fill."""
    if recipe.head.kind != "prototypical":
        return
    samples = SampleColumns.of(prepared.manifest, prepared.folds)
    try:
        classes, shots = prepared.manifest.classes, recipe.head.shots
        refuse_short_episodes(samples, classes, recipe.batch_size, shots)
    except InputError as error:
        raise InputError(f"recipes.{name}.{error.place}", error.fault, error.remedy) from None


def is_complete(member: Member, folds: int) -> bool:
    """Tell whether a member is marked complete and every fold of it is unharmed."""
    return complete(member.folder.path) is not None and all(
        member.folder.completed_fold(fold) is not None for fold in range(folds)
    )


def finish_member(member: Member, folds: int) -> bool:
    """Join a member's folds and mark it complete; False while a fold is missing."""
    if is_complete(member, folds):
        return True
    attempts = [member.folder.completed_fold(fold) for fold in range(folds)]
    if any(attempt is None for attempt in attempts):
        return False
    parts = [read_parquet(attempt / "predictions.parquet") for attempt in attempts if attempt]
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


def fold_model(member: Member, fold: int, classes: int, device: str) -> Classifier:
    """Load the model of a complete member's fold."""
    attempt = member.folder.completed_fold(fold)
    assert attempt is not None  # the member is complete
    model = build_classifier(member.recipe, classes, pretrained=False).to(device)
    load_final(attempt, model)
    return model


def member_table(member: Member, split: str) -> pa.Table:
    """Read a complete member's rows: `oof` or `test`."""
    return read_parquet(member.folder.path / f"{split}.parquet")


def member_identity(experiment: Experiment, recipe: Recipe, prepared: Prepared) -> str:
    """Hash recipe, folds, seed, manifest content and recipe-schema version."""
    content = recipe.meaning()
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
