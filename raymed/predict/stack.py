"""A stack on new images."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
import yaml

from raymed.config import Recipe
from raymed.data import Manifest
from raymed.data.arrays import new_array
from raymed.data.images import inspect_images, load_images
from raymed.data.keyed import column_of, read_table
from raymed.data.patients import patients_in_paths
from raymed.data.readers import IMAGE_SUFFIXES, find_images
from raymed.ensemble import Stack, predict_folds, read_stack
from raymed.errors import InputError, some
from raymed.files import whole_file
from raymed.models import build_classifier
from raymed.runs import MemberFolder, RunFolder
from raymed.training.checkpoints import load_final
from raymed.training.inputs import Inputs


@dataclass(frozen=True)
class NewImages:
    """Images to predict, each with its patient where that is known."""

    images: tuple[str, ...]
    patients: tuple[str, ...] | None = None

    @classmethod
    def find(
        cls, source: Path, *, patient_column: str | None = None, pattern: str | None = None
    ) -> Self:
        """List the images of a folder, a single file, or a CSV or Parquet with a column `image`.

        Patients come from `patient_column` of the table (or its column `patient` if there is
        one), or from the one group of a regular expression over the path.
        """
        if not source.exists():
            raise InputError(str(source), "no such file or folder", "give images to predict")
        patients = None
        if source.suffix.lower() in (".csv", ".parquet", ".pq"):
            table = read_table(source)
            relative = column_of(table, "image", str(source)).tolist()
            images = [str((source.parent / name).resolve()) for name in relative]
            column = patient_column or ("patient" if "patient" in table.columns else None)
            if column is not None:
                patients = tuple(column_of(table, column, str(source)))
        elif source.is_dir():
            images = [str(path) for path in find_images(source)]
        else:
            images = [str(source)]
        if not images:
            raise InputError(
                str(source), "holds no images", f"known suffixes: {some(sorted(IMAGE_SUFFIXES), 9)}"
            )
        if pattern is not None:
            patients = tuple(patients_in_paths(images, pattern))
        return cls(tuple(images), patients)


@dataclass(frozen=True)
class StackPredictor:
    """The fitted stack of a run, ready for new images."""

    run: RunFolder
    stack: Stack
    device: str = "cpu"

    def predict(
        self,
        images: NewImages | Path | str | Sequence[Path | str],
        patients: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Predict images; one row an image, then one a patient where patients are given.

        Columns: level (`image` or `patient`), image, patient, predicted (a class), and
        `probability_<class>` for each class. A patient's probabilities are the mean over his
        images. Raises `InputError` for images that cannot be read.
        """
        new = _as_new_images(images, patients)
        probabilities = self._probabilities(new.images)
        rows = self._table("image", probabilities, new.images, new.patients)
        if new.patients is None:
            return rows
        names = list(dict.fromkeys(new.patients))
        order = pd.Series(new.patients).map({name: i for i, name in enumerate(names)})
        means = pd.DataFrame(probabilities).groupby(order.to_numpy()).mean().to_numpy()
        people = self._table("patient", means, ("",) * len(names), names)
        return pd.concat([rows, people], ignore_index=True)

    def _probabilities(self, images: Sequence[str]) -> npt.NDArray[np.float64]:
        faults = [found.fault for found in inspect_images(images) if found.fault is not None]
        if faults:
            raise InputError(
                f"{len(faults)} of {len(images)} images",
                f"cannot be used: {some([f'{fault.place}: {fault.fault}' for fault in faults])}",
                "repair or remove them",
            )
        with tempfile.TemporaryDirectory() as scratch:
            logits = [
                self._member_logits(self.run.member(member), images, Path(scratch))
                for member in self.stack.members
            ]
        return predict_folds(self.stack.meta_learner, np.stack(logits, axis=2))

    def _member_logits(
        self, member: MemberFolder, images: Sequence[str], scratch: Path
    ) -> npt.NDArray[np.float32]:
        """Return logits [folds, images, classes] of a member's fold models."""
        recipe, device = member_recipe(member), torch.device(self.device)
        pixels = _decoded(images, recipe.size, self._channels, scratch)
        inputs = Inputs(pixels, device, bf16=recipe.precision == "bf16")
        rows = np.arange(len(images))
        model = build_classifier(recipe, len(self.stack.classes), pretrained=False).to(device)
        logits = []
        for fold in range(self.stack.folds):
            load_final(fold_attempt(member, fold), model)
            if recipe.is_probe and fold == 0:
                inputs = Inputs(inputs.features_of(model, rows), device, features=True)
            logits.append(inputs.predict_all(model, rows, len(self.stack.classes)))
        return np.stack(logits)

    @property
    def _channels(self) -> int:
        return Manifest.read(self.run.manifest_file).channels

    def _table(
        self,
        level: str,
        probabilities: npt.NDArray[np.float64],
        images: Sequence[str],
        patients: Sequence[str] | None,
    ) -> pd.DataFrame:
        classes = np.array(self.stack.classes, dtype=object)
        columns: dict[str, object] = {"level": level, "image": list(images)}
        if patients is not None:
            columns["patient"] = list(patients)
        columns["predicted"] = classes[probabilities.argmax(axis=1)]
        columns |= {f"probability_{name}": probabilities[:, i] for i, name in enumerate(classes)}
        return pd.DataFrame(columns)


def load_stack(run: Path | str, device: str = "auto") -> StackPredictor:
    """Load the stack of a run folder; `device` is auto, cpu or cuda."""
    folder = RunFolder.existing(run)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise InputError("device", "cuda is not available here", "use auto or cpu")
    return StackPredictor(folder, read_stack(folder.stack_folder), device)


def check_output(path: Path) -> None:
    """Refuse a file name that predictions cannot be written to."""
    if path.suffix.lower() not in (".parquet", ".csv"):
        raise InputError(str(path), "unknown kind of file", "end it in .parquet or .csv")


def write_predictions(table: pd.DataFrame, path: Path) -> None:
    """Write predictions as Parquet or CSV, by the file's name."""
    check_output(path)
    with whole_file(path) as temporary:
        if path.suffix.lower() == ".csv":
            table.to_csv(temporary, index=False)
        else:
            table.to_parquet(temporary, index=False)


def _as_new_images(
    images: NewImages | Path | str | Sequence[Path | str], patients: Sequence[str] | None
) -> NewImages:
    if isinstance(images, Path | str):
        images = NewImages.find(Path(images))
    if not isinstance(images, NewImages):
        images = NewImages(tuple(str(path) for path in images))
    if patients is None:
        return images
    if len(patients) != len(images.images):
        raise InputError("patients", f"{len(patients)} for {len(images.images)} images")
    return NewImages(images.images, tuple(patients))


def member_recipe(member: MemberFolder) -> Recipe:
    """Read the recipe that a member was trained by."""
    try:
        content = yaml.safe_load((member.path / "recipe.yaml").read_text(encoding="utf-8"))
        return Recipe.model_validate(content["recipe"])
    except (OSError, KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"member {member.id}", f"its recipe cannot be read ({error})", "build again"
        ) from None


def fold_attempt(member: MemberFolder, fold: int) -> Path:
    """Find the attempt that counts of a member's fold."""
    attempt = member.completed_fold(fold)
    if attempt is None:
        raise InputError(
            f"member {member.id}, fold {fold}", "is missing or harmed", "run raymed build again"
        )
    return attempt


def _decoded(
    images: Sequence[str], size: int, channels: int, scratch: Path
) -> npt.NDArray[np.uint8]:
    """Decode images to a memory-mapped array, once a size."""
    path = scratch / f"{size}.npy"
    if path.exists():
        return np.asarray(np.load(path, mmap_mode="r"))
    shape = (len(images), size, size) if channels == 1 else (len(images), size, size, 3)
    pixels = new_array(path, np.uint8, shape)
    for row, image in enumerate(load_images(images, size, channels)):
        pixels[row] = image
    return pixels
