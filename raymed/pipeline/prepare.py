"""The first stages: manifest, folds, audit and decoded images, written into the run folder."""

from collections.abc import Generator
from dataclasses import dataclass

from raymed.config import Experiment
from raymed.data import Folds, Manifest
from raymed.data.sites import site_folds
from raymed.files import read_json
from raymed.pipeline.checking import check, refuse_changed, refuse_serious, write_audit
from raymed.pipeline.decoding import ImageCache, decode
from raymed.pipeline.events import Event
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

    Raises `InputError` before anything is frozen where the audit has serious findings that
    `data.acknowledge` does not name; audit and contact sheet are written then, to be looked at.
    With `keep` the experiment that the folder holds already stays written in it.
    """
    checked = yield from check(experiment, run)
    manifest, folds = checked.manifest, checked.folds
    sites = site_folds(manifest) if experiment.evaluate.sites == "leave-one-out" else None
    refuse_changed(run, manifest, folds)
    yield from write_audit(experiment, run.audit_file, checked, run.contact_file)
    refuse_serious(read_json(run.audit_file), experiment.data, str(run.audit_file))
    freeze(experiment, run, manifest, folds, keep=keep)
    for size in sorted({recipe.size for recipe in experiment.recipes.values()}):
        yield from decode(ImageCache.of(experiment.cluster), manifest, size)
    return Prepared(manifest, folds, sites)


def freeze(
    experiment: Experiment, run: RunFolder, manifest: Manifest, folds: Folds, *, keep: bool = False
) -> None:
    """Write manifest, folds and experiment once; then the first two must come out the same.

    With `keep` the experiment is written only where there is none yet.
    """
    refuse_changed(run, manifest, folds)
    manifest.write(run.manifest_file)
    folds.write(run.folds_file)
    if not (keep and run.experiment_file.exists()):
        run.write_experiment(experiment)
