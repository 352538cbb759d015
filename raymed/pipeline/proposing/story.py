"""The way from a proposal to a written configuration."""

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import yaml

from raymed.config import Cluster, Experiment, parse_experiment
from raymed.data import (
    HiddenGroups,
    Manifest,
    assign_folds,
)
from raymed.data.audit.audit import audit
from raymed.data.audit.recovered import recover_patients
from raymed.data.audit.sentinel import LEAK_SIZE
from raymed.data.images import Pixels, image_sides
from raymed.data.intake.manifest import Listing, listing_samples
from raymed.data.intake.objects import local_data
from raymed.data.proposal import Proposal, proposing
from raymed.errors import InputError
from raymed.files import whole_file, write_text
from raymed.pipeline.checking import look
from raymed.pipeline.decoding import ImageCache, decode_thumbnails
from raymed.pipeline.events import Event, Stage
from raymed.pipeline.listing import told
from raymed.pipeline.proposing.entries import Entry, content_of, write_entries
from raymed.pipeline.proposing.machine import Machine
from raymed.pipeline.proposing.members import SetSize, choose_members, models_to_look_for
from raymed.pipeline.proposing.settings import Wishes, data_content, data_entries, relocated
from raymed.pipeline.proposing.weights import find_weights

_MOST_UNUSABLE = 0.2
_MEASURED = 200
_FOLDS = 5
_SEED = 0


@dataclass(frozen=True, eq=False)
class Examined:
    """A source whose every image was opened; `side` is their median longer side, in pixels."""

    proposal: Proposal
    wishes: Wishes
    data: Mapping[str, Any]
    manifest: Manifest
    seen: pd.DataFrame
    hidden: HiddenGroups
    thumbnails: Pixels
    side: int

    @property
    def people(self) -> int:
        """How many people the pixels show in several images; 0 where patients are declared."""
        return 0 if self.wishes.patients is not None else self.hidden.people


@dataclass(frozen=True, eq=False)
class Settled:
    """A configuration to write, with absolute paths, and the audit of what it names."""

    proposal: Proposal
    data: Mapping[str, Any]
    wishes: Wishes
    parts: tuple[Entry, ...]
    audit: Mapping[str, Any]
    machine: Machine

    @property
    def acknowledged(self) -> tuple[str, ...]:
        """The serious findings, which the configuration acknowledges by name."""
        found = self.audit["findings"]
        return tuple(each["name"] for each in found if each["severity"] == "serious")


def propose_events(source: str) -> Generator[Event, None, Proposal]:
    """Propose how to read a source, telling how far it is; raises `InputError` as it does."""
    yield Stage("looking at the source")
    return (yield from told(proposing(source, Cluster().cache_folder)))


def examine(proposal: Proposal, wishes: Wishes) -> Generator[Event, None, Examined]:
    """Open every image of a proposed source and look for hidden groups.

    Images that cannot be used are left out, up to a fifth of all; raises `InputError` beyond.
    """
    yield Stage("reading the source")
    with TemporaryDirectory(prefix="raymed-init-") as folder:
        source = proposal.source
        if proposal.manifest is not None:
            source = Path(folder) / "manifest.csv"
            proposal.manifest.to_csv(source, index=False)
        data = {**data_content(proposal, wishes, source), "on_error": "skip"}
        listing = yield from _listed(data)
        if any("::axial/" in image for image in listing.images):
            data["slices"] = {"axis": "axial", "between": [0.25, 0.75]}
            listing = yield from _listed(data)
        cache = ImageCache.of(_experiment(data).cluster)
        manifest, seen, hidden, thumbnails = yield from look(listing, cache)
        if thumbnails is None:
            thumbnails = yield from decode_thumbnails(cache, manifest, LEAK_SIZE)
    lost = len(listing.images) - len(manifest.table)
    if lost > _MOST_UNUSABLE * len(listing.images):
        raise InputError(
            str(proposal.source),
            f"{lost} of {len(listing.images)} images cannot be used",
            "repair them or take them away; the warning above names some",
        )
    if not lost:
        del data["on_error"]
    return Examined(proposal, wishes, data, manifest, seen, hidden, thumbnails, _side(manifest))


def settle(examined: Examined, *, recovered: bool = True) -> Generator[Event, None, Settled]:
    """Decide folds, members and what to acknowledge, on an audit of just that.

    Where patients are not declared, hidden groups are taken for them, unless `recovered` is false.
    """
    manifest, data = examined.manifest, dict(examined.data)
    recovered = recovered and examined.people > 0
    if recovered:
        manifest, data["patients"] = recover_patients(manifest, examined.hidden), "recovered"
    data["folds"] = _fold_count(manifest)
    folds = assign_folds(manifest, _experiment(data).data, _SEED)
    yield Stage("checking for leaks and duplicates")
    found = audit(
        manifest,
        folds,
        examined.thumbnails,
        examined.hidden,
        examined.seen,
        recovered=recovered,
    )
    yield Stage("looking for pretrained weights")
    machine, train = Machine.here(), ~manifest.is_test
    people = len(set(manifest.patients[train]))
    size = SetSize(int(train.sum()), people, data["folds"], examined.side)
    parts = choose_members(size, machine, find_weights(models_to_look_for(machine)))
    return Settled(examined.proposal, data, examined.wishes, parts, found, machine)


def write_configuration(settled: Settled, file: Path) -> None:
    """Write the configuration, and before it the manifest beside it where one was made."""
    proposal, data = settled.proposal, dict(settled.data)
    if proposal.manifest is not None:
        made = manifest_beside(file)
        with whole_file(made) as temporary:
            proposal.manifest.to_csv(temporary, index=False)
        data["source"] = str(made.resolve())
    entries = [
        Entry("name", settled.wishes.name),
        Entry("seed", _SEED),
        Entry("data", data_entries(proposal, settled.wishes, relocated(data, file), settled.audit)),
        *settled.parts,
    ]
    if settled.machine.workers is not None:
        why = f"{settled.machine.told}: a worker on each core would want more memory"
        entries.append(Entry("cluster", [Entry("workers", settled.machine.workers, why)]))
    text = write_entries(entries, _header(settled, file))
    content = yaml.safe_load(text)
    assert content == content_of(entries)
    parse_experiment(content, file.resolve().parent, str(file))
    write_text(file, text)


def manifest_beside(file: Path) -> Path:
    """Name the manifest that belongs to a configuration."""
    return file.with_name(f"{file.stem}.manifest.csv")


def _header(settled: Settled, file: Path) -> str:
    found = settled.audit
    notes = "".join(f"\nNOTE: {note}." for note in settled.proposal.notes)
    return (
        f"{found['samples']} images in {len(found['classes'])} classes. Proposed by raymed init on "
        f"a machine with {settled.machine.told}; change what you know better.{notes}\n\n"
        f"  raymed check {file.name}    the audit alone\n"
        f"  raymed build {file.name}    the whole way, to a report\n"
        f"  raymed models {file.name}   what each member costs, measured"
    )


def _experiment(data: Mapping[str, Any]) -> Experiment:
    """Read `data` as a build would, with a recipe that nobody trains."""
    recipes = {"none": {"model": "none", "pretrained": "none"}}
    content = {"name": "init", "data": data, "recipes": recipes}
    return parse_experiment(content, Path.cwd(), "the proposal")


def _listed(data: Mapping[str, Any]) -> Generator[Event, None, Listing]:
    experiment = _experiment(data)
    local = yield from told(local_data(experiment.data, experiment.cluster.cache_folder))
    return (yield from told(listing_samples(local)))


def _side(manifest: Manifest) -> int:
    """Measure the median of the longer sides, of at most 200 images spread over all."""
    images = manifest.table["image"].tolist()
    rows = np.unique(np.linspace(0, len(images) - 1, _MEASURED).round().astype(int))
    sides = image_sides([images[row] for row in rows], manifest.intensity)
    return round(median(max(side) for side in sides))


def _fold_count(manifest: Manifest) -> int:
    """Ask for five folds, or for as many as the smallest class has people, if three or four."""
    train = manifest.table[~manifest.is_test]
    people = train.groupby("label")["patient"].nunique()
    least, most = int(people.min()), int(people.max())
    wanted = least if least in (3, 4) else _FOLDS
    return max(2, min(wanted, most, train["patient"].nunique()))
