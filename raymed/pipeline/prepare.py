"""The first stages: manifest, folds, audit and decoded images, written into the run folder."""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

from raymed.config import Experiment
from raymed.data import (
    Folds,
    Manifest,
    assign_folds,
    audit,
    decode_images,
    draw_test_split,
    image_file,
    list_samples,
    open_array,
)
from raymed.data.audit import LEAK_SIZE
from raymed.data.images import Inspection, inspect_images
from raymed.data.manifest import Listing
from raymed.data.sites import site_folds
from raymed.errors import InputError
from raymed.files import digest, read_json, write_json
from raymed.pipeline.events import Event, Note, Stage
from raymed.runs import RunFolder


@dataclass(frozen=True)
class Prepared:
    """What every member rests on. `sites` has a fold a site, where each is to be left out once."""

    manifest: Manifest
    folds: Folds
    sites: Folds | None = None


def prepare(
    experiment: Experiment, run: RunFolder, *, keep: bool = False
) -> Generator[Event, None, Prepared]:
    """Read and check the data, freeze folds, decode the images; returns `Prepared`.

    With `keep` the experiment that the folder holds already stays written in it.
    """
    yield Stage("reading the manifest")
    manifest = yield from open_images(list_samples(experiment.data, experiment.evaluate.subgroups))
    manifest = draw_test_split(manifest, experiment.data, experiment.seed)
    folds = assign_folds(manifest, experiment.data, experiment.seed)
    sites = site_folds(manifest) if experiment.evaluate.sites == "leave-one-out" else None
    freeze(experiment, run, manifest, folds, keep=keep)
    sizes = sorted({recipe.size for recipe in experiment.recipes.values()} | {LEAK_SIZE})
    for size in sizes:
        yield from decode(experiment.cluster.cache_folder, manifest, size)
    yield from _audit(experiment, run, manifest, folds)
    return Prepared(manifest, folds, sites)


def open_images(listing: Listing) -> Generator[Event, None, Manifest]:
    """Open every listed image once; returns the manifest, or raises if any cannot be used.

    With `data.on_error: skip` those are left out, and named.
    """
    inspections: list[Inspection] = []
    for found in inspect_images(listing.images, listing.intensity):
        inspections.append(found)
        if len(inspections) % 100 == 0 or len(inspections) == len(listing.images):
            yield Stage("opening every image", len(inspections), len(listing.images))
    manifest, refusal = listing.inspected(inspections), listing.refusal(inspections)
    if refusal is not None:
        yield Note(f"{refusal.place} are left out, for they {refusal.fault}", warning=True)
    return manifest


def freeze(
    experiment: Experiment, run: RunFolder, manifest: Manifest, folds: Folds, *, keep: bool = False
) -> None:
    """Write manifest, folds and experiment once; then the first two must come out the same.

    With `keep` the experiment is written only where there is none yet.
    """
    if run.manifest_file.exists() and run.folds_file.exists():
        before = Manifest.read(run.manifest_file), Folds.read(run.folds_file)
        for what, was, now in (
            ("images or labels", before[0].content, manifest.content),
            ("folds", before[1].content, folds.content),
        ):
            if was != now:
                raise InputError(
                    str(run.path),
                    f"its {what} are not those of its source any more",
                    "restore the source, or build into another folder with --run",
                )
    manifest.write(run.manifest_file)
    folds.write(run.folds_file)
    if not (keep and run.experiment_file.exists()):
        run.write_experiment(experiment)


def decode(cache: Path, manifest: Manifest, size: int) -> Iterator[Event]:
    """Decode a manifest's images at one size into the cache, if they are not there."""
    total = len(manifest.table)
    for done in decode_images(manifest, size, image_file(cache, manifest, size)):
        if done % 100 == 0 or done == total:
            yield Stage(f"decoding images at {size} px", done, total)


def _audit(
    experiment: Experiment, run: RunFolder, manifest: Manifest, folds: Folds
) -> Iterator[Event]:
    about = digest([manifest.content, folds.content])
    if not run.audit_file.exists() or read_json(run.audit_file).get("about") != about:
        yield Stage("checking for leaks and duplicates")
        file = image_file(experiment.cluster.cache_folder, manifest, LEAK_SIZE)
        write_json(run.audit_file, {"about": about, **audit(manifest, folds, open_array(file))})
    for finding in read_json(run.audit_file)["findings"]:
        yield Note(f"{finding['what']} {finding['remedy']}", finding["severity"] != "note")
