"""An external evaluation: how its source is read, and the folder that its results lie in."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from raymed.config import Experiment, parse_experiment
from raymed.data import Manifest
from raymed.errors import InputError, did_you_mean, some
from raymed.files import complete, mark_complete, write_json
from raymed.runs import RunFolder

KEPT = ("patients", "ordinal", "binary", "image_column", "label_column", "intensity", "slices")
CHANGEABLE = (
    "data.patients",
    "data.image_column",
    "data.label_column",
    "data.site_column",
    "data.root",
    "data.on_error",
)


def external_experiment(
    run: RunFolder, classes: Sequence[str], source: Path | str, overrides: Sequence[str] = ()
) -> Experiment:
    """Give a run's experiment over another source, read as its own was but for `overrides`.

    Classes are the run's. Raises `InputError` for overrides of anything but where patients, images,
    labels and sites are read, and what unusable images do.
    """
    for override in overrides:
        key = override.partition("=")[0].strip()
        if not any(f"{key}.".startswith(f"{each}.") for each in CHANGEABLE):
            hint = did_you_mean(key, CHANGEABLE) or f"what can: {some(CHANGEABLE)}"
            raise InputError(override, "cannot be changed in an evaluation", hint)
    content = run.experiment().model_dump(mode="json")
    content["data"] = {
        **{key: content["data"][key] for key in KEPT},
        "source": str(source),
        "classes": list(classes),
    }
    return parse_experiment(content, Path.cwd(), str(run.experiment_file), overrides)


@dataclass(frozen=True)
class EvaluationFolder:
    """The folder of one external evaluation, `evaluations/<name>/` of a run."""

    path: Path

    @property
    def manifest_file(self) -> Path:
        """The samples, all of them test."""
        return self.path / "manifest.parquet"

    @property
    def predictions_file(self) -> Path:
        """What members and stack say of each sample."""
        return self.path / "predictions.parquet"

    @property
    def metrics_file(self) -> Path:
        """Every figure."""
        return self.path / "metrics.json"

    def freeze(self, manifest: Manifest) -> None:
        """Write the manifest down; refuse a folder that holds another evaluation."""
        if not self.manifest_file.exists():
            manifest.write(self.manifest_file)
        elif Manifest.read(self.manifest_file).content != manifest.content:
            raise InputError(
                str(self.path),
                "holds the evaluation of other samples or labels",
                "choose another --name, or delete it",
            )

    def is_of(self, about: str) -> bool:
        """Tell whether a complete and unharmed evaluation of just this lies here."""
        return (complete(self.path) or {}).get("about") == about

    def reopen(self) -> None:
        """Take the marker away before anything is written, and predictions that were harmed."""
        marker = self.path / "DONE.json"
        if marker.exists() and complete(self.path) is None:
            self.predictions_file.unlink(missing_ok=True)
        marker.unlink(missing_ok=True)

    def finish(self, metrics: object, about: str) -> None:
        """Write the figures, then the marker."""
        write_json(self.metrics_file, metrics)
        files = [self.manifest_file, self.predictions_file, self.metrics_file]
        mark_complete(self.path, [file.name for file in files], about=about)
