"""Where each artifact of a run folder lies."""

from dataclasses import dataclass
from pathlib import Path

LEFT_OUT_SITES, COMPARISON = "evaluations/sites", "comparison"


@dataclass(frozen=True)
class Artifacts:
    """The paths in a run folder; nothing is read."""

    path: Path

    @property
    def schema_file(self) -> Path:
        """Which layout the folder has."""
        return self.path / "schema.json"

    @property
    def experiment_file(self) -> Path:
        """The resolved experiment."""
        return self.path / "experiment.yaml"

    @property
    def manifest_file(self) -> Path:
        """The samples, classes in the schema metadata."""
        return self.path / "manifest.parquet"

    @property
    def folds_file(self) -> Path:
        """One fold a sample, -1 in the test split."""
        return self.path / "folds.parquet"

    @property
    def audit_file(self) -> Path:
        """What the check of the manifest found."""
        return self.path / "audit.json"

    @property
    def contact_file(self) -> Path:
        """Small images of some groups that the check proposes."""
        return self.path / "hidden_groups.parquet"

    @property
    def oof_file(self) -> Path:
        """The joined out-of-fold table."""
        return self.path / "oof.arrow"

    @property
    def stack_folder(self) -> Path:
        """The fitted stack."""
        return self.path / "stack"

    @property
    def metrics_file(self) -> Path:
        """Every figure of the report."""
        return self.path / "metrics.json"

    @property
    def gallery_file(self) -> Path:
        """The images that the report shows, with their saliency maps."""
        return self.path / "gallery.parquet"

    @property
    def augmented_file(self) -> Path:
        """Samples as augmentation left them in training, for the report."""
        return self.path / "augmented.parquet"

    @property
    def report_file(self) -> Path:
        """The report to open in a browser."""
        return self.path / "report.html"

    @property
    def evaluations_folder(self) -> Path:
        """What the stack is worth on external test sets, a folder each."""
        return self.path / "evaluations"

    @property
    def inference_file(self) -> Path:
        """How long members and stack take to predict an image."""
        return self.path / "inference.json"

    @property
    def comparison_folder(self) -> Path:
        """What `raymed compare` found."""
        return self.path / COMPARISON

    @property
    def study_folder(self) -> Path:
        """The study of `raymed tune`, and what is written down of it."""
        return self.path / "study"

    @property
    def trials_file(self) -> Path:
        """The study's trials as a report reads them."""
        return self.study_folder / "trials.json"

    @property
    def tensorboard_folder(self) -> Path:
        """The study as TensorBoard reads it."""
        return self.study_folder / "tensorboard"

    @property
    def best_recipe_file(self) -> Path:
        """The best trial's recipe, to paste."""
        return self.study_folder / "best.yaml"

    @property
    def selection_file(self) -> Path:
        """What the choice of the best trial is worth."""
        return self.study_folder / "selection.json"

    @property
    def report_folder(self) -> Path:
        """The report's tables and figures as files."""
        return self.path / "report"

    @property
    def log_folder(self) -> Path:
        """What Ray and the workers said."""
        return self.path / "log"
