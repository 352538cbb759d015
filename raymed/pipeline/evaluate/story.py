"""`raymed evaluate`: what a run's stack is worth on an external test set, as it is."""

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from raymed.config import is_url
from raymed.data import Folds, Manifest
from raymed.data.intake.external import Overlap, listing_external
from raymed.data.intake.objects import local_data
from raymed.data.intake.sources.shards import is_pattern
from raymed.errors import InputError
from raymed.files import digest, read_json
from raymed.pipeline.decoding import ImageCache, open_images
from raymed.pipeline.evaluate.predictions import member_contents, predict_external
from raymed.pipeline.evaluate.scores import Rows, rows_of, score_external
from raymed.pipeline.evaluate.source import EvaluationFolder, external_experiment
from raymed.pipeline.events import Event, Note, Stage
from raymed.pipeline.held import held
from raymed.pipeline.listing import told
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.scorer import Scorer
from raymed.predict import StackPredictor, load_stack
from raymed.report import publish_report
from raymed.report.external import SCHEMA
from raymed.runs import LEFT_OUT_SITES, RunFolder, now
from raymed.stories import result_of

Device = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True)
class Evaluated:
    """What an evaluation left behind."""

    run: RunFolder
    folder: Path
    metrics: dict[str, Any]


def evaluate(
    run: Path | str,
    source: Path | str,
    overrides: Sequence[str] = (),
    *,
    name: str | None = None,
    shared_patients: bool = False,
    device: Device = "auto",
) -> Evaluated:
    """Evaluate the stack of a run folder on `source`, all of whose samples are test.

    The source is read by the run's own `data` settings, but for `overrides` such as
    `data.patients.column=subject`. Results lie in `evaluations/<name>/` of the run folder (default:
    the source's name) and in its report. The same call again continues where it was stopped.
    Raises `InputError` for bad input: classes that the run does not have, a name that is taken,
    and, without `shared_patients`, patients or images of training.
    """
    return result_of(
        evaluate_events(
            run, source, overrides, name=name, shared_patients=shared_patients, device=device
        )
    )


def evaluate_events(
    run: Path | str,
    source: Path | str,
    overrides: Sequence[str] = (),
    *,
    name: str | None = None,
    shared_patients: bool = False,
    device: Device = "auto",
) -> Generator[Event, None, Evaluated]:
    """Evaluate as `evaluate` does, telling what happens; the generator returns `Evaluated`."""
    folder, path = RunFolder.existing(run), _existing(source)
    place = EvaluationFolder(folder.evaluations_folder / _name(name, path))
    yield from held(folder, _stages(folder, device, path, overrides, place, shared_patients))
    return Evaluated(folder, place.path, read_json(place.metrics_file))


def _stages(
    folder: RunFolder,
    device: Device,
    source: Path | str,
    overrides: Sequence[str],
    place: EvaluationFolder,
    shared_patients: bool,
) -> Generator[Event, None, None]:
    """Go through the stages of an evaluation, in a folder that is held."""
    yield Stage("loading the stack")
    yield from _scored(_Fitted.load(folder, device), source, overrides, place, shared_patients)
    yield Stage("writing the report")
    published = publish_report(folder)
    if published.undrawn is not None:
        yield Note(published.undrawn)


@dataclass(frozen=True)
class _Fitted:
    """A run's stack as it was fitted, and what the run's metrics say of it."""

    run: RunFolder
    predictor: StackPredictor
    contents: dict[str, str]
    rows: Rows
    about: str
    trained_on: Manifest
    folds: Folds

    @classmethod
    def load(cls, run: RunFolder, device: Device) -> "_Fitted":
        """Load it; refuse a run without a stack, and one whose members are missing or harmed."""
        predictor = load_stack(run.path, device)
        if not run.metrics_file.is_file():
            raise InputError(str(run.metrics_file), "no such file", "run raymed build again")
        metrics = read_json(run.metrics_file)
        return cls(
            run,
            predictor,
            member_contents(predictor),
            rows_of(metrics, predictor.stack),
            metrics["about"],
            Manifest.read(run.manifest_file),
            Folds.read(run.folds_file),
        )


def _scored(
    fitted: _Fitted,
    source: Path | str,
    overrides: Sequence[str],
    place: EvaluationFolder,
    shared_patients: bool,
) -> Generator[Event, None, None]:
    """Read the source, predict and score it, unless all of this stands already."""
    trained_on, stack = fitted.trained_on, fitted.predictor.stack
    experiment = external_experiment(fitted.run, trained_on.classes, source, overrides)
    yield Stage("reading the test set")
    data = yield from told(local_data(experiment.data, experiment.cluster.cache_folder))
    manifest = yield from open_images((yield from told(listing_external(data))))
    manifest = replace(manifest, channels=trained_on.channels)
    overlap = Overlap.of(manifest, trained_on)
    if not shared_patients:
        overlap.refuse(str(source))
    for doubt in overlap.doubts:
        yield Note(doubt, warning=True)
    place.freeze(manifest)
    about = digest([SCHEMA, manifest.content, fitted.about, fitted.contents])
    if place.is_of(about):
        return
    place.reopen()
    cache, file = ImageCache.of(experiment.cluster), place.predictions_file
    predicted = yield from predict_external(
        fitted.predictor, fitted.contents, manifest, cache, file
    )
    yield Stage("scoring the test set")
    scorer = Scorer(experiment, Prepared(manifest, fitted.folds))
    facts = {
        "schema": SCHEMA,
        "name": place.path.name,
        "created": now(),
        "source": str(source),
        "stack": fitted.about,
        "independent": not overlap.shared(),
        "doubts": list(overlap.doubts),
    }
    found = score_external(scorer, stack, trained_on, fitted.rows, predicted)
    place.finish(facts | found, about)


def _existing(source: Path | str) -> Path | str:
    if is_url(source):
        return source
    path = Path(source).expanduser().resolve()
    if not path.exists() and not is_pattern(str(path)):
        raise InputError(
            str(source),
            "no such file or folder",
            "give class folders, a manifest or an npz",
        )
    return path


def _name(wish: str | None, source: Path | str) -> str:
    """Name the evaluation's folder, after its source where there is no wish."""
    path = Path(str(source).split("?")[0])
    name = wish or (path.name if path.is_dir() or is_url(source) else path.stem)
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", name):
        raise InputError(
            f"--name {name}",
            "cannot name a folder",
            "use letters, digits, '.', '_' and '-', at most 64, a letter or digit first",
        )
    if name == Path(LEFT_OUT_SITES).name:
        raise InputError(
            f"--name {name}", "is that of left-out sites", "choose another with --name"
        )
    return name
