"""`raymed check`: the manifest, its folds and the audit; the first step of every build too."""

import os
from collections.abc import Generator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from raymed.config import DataConfig, Experiment
from raymed.data import (
    Folds,
    HiddenGroups,
    Manifest,
    assign_folds,
    draw_test_split,
    find_groups,
)
from raymed.data.audit.audit import SCHEMA, audit
from raymed.data.audit.hidden.groups import SEARCH
from raymed.data.audit.recovered import patients_as_before, recover_patients
from raymed.data.audit.sentinel import LEAK_SIZE
from raymed.data.images import Pixels
from raymed.data.intake.manifest import Listing, listing_samples
from raymed.data.intake.objects import local_data
from raymed.errors import DiskFullError, InputError
from raymed.files import digest, read_json, write_json
from raymed.pipeline.contact import write_contact_sheet
from raymed.pipeline.decoding import (
    ImageCache,
    decode,
    decode_thumbnails,
    look_at_images,
)
from raymed.pipeline.events import Event, Note, Stage
from raymed.pipeline.held import kept
from raymed.pipeline.listing import told
from raymed.runs import RunFolder

HIDDEN = "hidden"
"""The folder of the cache that keeps what was found."""
_ARRAYS = ("group", "copies", "near")


@dataclass(frozen=True)
class Checked:
    """The samples and folds of an experiment, the groups that its pixels show, what was seen.

    `seen` has a row for each sample (see `Appearance`); `thumbnails` are the small images, None
    where nothing has asked for them yet.
    """

    manifest: Manifest
    folds: Folds
    hidden: HiddenGroups
    seen: pd.DataFrame
    thumbnails: Pixels | None = None


def check(experiment: Experiment, run: RunFolder) -> Generator[Event, None, Checked]:
    """Read the data, look for hidden groups, assign folds; writes nothing but caches.

    A run that has recovered its patients already keeps them.
    """
    yield Stage("reading the manifest")
    data = yield from told(local_data(experiment.data, experiment.cluster.cache_folder))
    listing = yield from told(listing_samples(data, experiment.evaluate.subgroups))
    cache = ImageCache.of(experiment.cluster)
    manifest, seen, hidden, thumbnails = yield from look(listing, cache)
    if _recovered(data):
        before = Manifest.read(run.manifest_file) if run.manifest_file.exists() else None
        kept = None if before is None else patients_as_before(manifest, before)
        manifest = kept if kept is not None else recover_patients(manifest, hidden)
    manifest = draw_test_split(manifest, data, experiment.seed)
    folds = assign_folds(manifest, data, experiment.seed)
    return Checked(manifest, folds, hidden, seen, thumbnails)


def look(
    listing: Listing, cache: ImageCache
) -> Generator[Event, None, tuple[Manifest, pd.DataFrame, HiddenGroups, Pixels | None]]:
    """Open and measure every listed image, look for hidden groups; patients stay as listed.

    Returns the manifest, what was seen of each sample (see `Appearance`), the groups, and the small
    images, None where nothing has asked for them yet.
    """
    manifest, seen = yield from look_at_images(listing)
    yield from decode(cache, manifest, LEAK_SIZE, in_memory=True)
    hidden, thumbnails = yield from _hidden_groups(cache, manifest)
    return manifest, seen, hidden, thumbnails


def check_events(
    experiment: Experiment, run: Path | str | None = None, output: Path | None = None
) -> Generator[Event, None, dict[str, Any]]:
    """Check the data alone, without a model; returns the audit, written to `audit.json`.

    It lies in the run folder (default `./runs/<name>`), or at `output`.
    """
    folder = RunFolder.of(experiment, run)
    return (yield from kept(folder, _stages(experiment, folder, output)))


def _stages(
    experiment: Experiment, folder: RunFolder, output: Path | None
) -> Generator[Event, None, dict[str, Any]]:
    folder.refuse_other(experiment)
    checked = yield from check(experiment, folder)
    file = output if output is not None else folder.audit_file
    if output is None:
        refuse_changed(folder, checked.manifest, checked.folds)
    contact = folder.contact_file if output is None else None
    yield from write_audit(experiment, file, checked, contact)
    found: dict[str, Any] = read_json(file)
    return found


def refuse_changed(run: RunFolder, manifest: Manifest, folds: Folds) -> None:
    """Refuse a run whose samples or folds, once frozen, come out otherwise."""
    if run.manifest_file.exists() and run.folds_file.exists():
        before = Manifest.read(run.manifest_file), Folds.read(run.folds_file)
        for what, was, now in (
            ("images or labels", before[0].content, manifest.content),
            ("folds", before[1].content, folds.content),
        ):
            if was != now:
                raise InputError(
                    run.place,
                    f"its {what} are not those of its source any more",
                    "restore the source, or build into another folder with --run",
                )


def refuse_serious(audit: Mapping[str, Any], data: DataConfig, place: str) -> None:
    """Stop at serious findings that the configuration does not acknowledge, naming each."""
    found = unacknowledged(audit, data)
    if not found:
        return
    told = "\n".join(f"  {each['name']}: {each['what']} {each['remedy']}" for each in found)
    names = ", ".join([*data.acknowledge, *dict.fromkeys(each["name"] for each in found)])
    raise InputError(
        place,
        f"{len(found)} serious finding{'s' * (len(found) > 1)} of the audit that the "
        f"configuration does not acknowledge:\n{told}\nNothing was trained",
        f"mend the data, or go on knowing this with the line\n  data: {{acknowledge: [{names}]}}",
    )


def unacknowledged(audit: Mapping[str, Any], data: DataConfig) -> list[dict[str, str]]:
    """Give the serious findings that the configuration does not acknowledge."""
    return [
        each
        for each in audit["findings"]
        if each["severity"] == "serious" and each["name"] not in data.acknowledge
    ]


def write_audit(
    experiment: Experiment, file: Path, checked: Checked, contact: Path | None
) -> Generator[Event, None, None]:
    """Audit what was checked, unless the file holds that already; tell the findings.

    Small images of some proposed groups and odd pictures go to `contact`.
    """
    manifest, folds = checked.manifest, checked.folds
    sites = manifest.table["site"].astype(str).tolist()
    about = digest([SCHEMA, manifest.content, folds.content, sites])
    if not file.exists() or read_json(file).get("about") != about:
        yield Stage("checking for leaks, duplicates and odd pictures")
        thumbnails = checked.thumbnails
        if thumbnails is None:
            cache = ImageCache.of(experiment.cluster)
            thumbnails = yield from decode_thumbnails(cache, manifest, LEAK_SIZE)
        recovered = _recovered(experiment.data)
        found = audit(
            manifest, folds, thumbnails, checked.hidden, checked.seen, recovered=recovered
        )
        if contact is not None:
            write_contact_sheet(contact, found, list(manifest.table["sample_id"]), thumbnails)
        write_json(file, {"about": about, **found})
    for finding in read_json(file)["findings"]:
        yield Note(f"{finding['what']} {finding['remedy']}", finding["severity"] != "note")


def _recovered(data: DataConfig) -> bool:
    return data.patients is not None and data.patients.recovered


def _hidden_groups(
    cache: ImageCache, manifest: Manifest
) -> Generator[Event, None, tuple[HiddenGroups, Pixels | None]]:
    """Find the groups, or read what was found in the same images before.

    Returns the small images too, where it had to look at them.
    """
    entry = cache.entry(manifest, LEAK_SIZE)
    file = cache.folder / HIDDEN / f"{digest([SEARCH, entry.folder.name])}.json"
    stored = _stored_groups(file)
    if stored is not None:
        return stored, None
    thumbnails = yield from decode_thumbnails(cache, manifest, LEAK_SIZE)
    yield Stage("looking for hidden groups")
    hidden = find_groups(thumbnails)
    found = vars(hidden)
    with suppress(OSError, DiskFullError):  # then they are looked for again
        write_json(file, {**found, **{key: found[key].tolist() for key in _ARRAYS}})
    return hidden, thumbnails


def _stored_groups(file: Path) -> HiddenGroups | None:
    """Read groups that were found before; a broken file is as good as none."""
    try:
        stored = read_json(file)
        arrays = {key: np.array(stored[key], dtype=np.int64) for key in _ARRAYS}
        groups = HiddenGroups(**{**stored, **arrays})
    except (OSError, InputError, LookupError, TypeError, ValueError):
        return None
    with suppress(OSError):
        os.utime(file)  # the last use
    return groups
