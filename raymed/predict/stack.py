"""A stack on new images."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from raymed.config import Intensity
from raymed.data import Manifest
from raymed.data.arrays import new_array, open_array
from raymed.data.decoded.entry import decoded_shape
from raymed.data.decoded.streaming import Images, StreamedImages
from raymed.data.images import inspect_images, load_images
from raymed.data.intake.manifest import refuse_images
from raymed.ensemble import Stack, Uncertainty, predict_folds, read_stack, split_uncertainty
from raymed.errors import InputError
from raymed.files import lacks_space, whole_file
from raymed.predict.member import (
    member_recipe,
    named_recipe,
    predict_member,
    room_for_logits,
)
from raymed.predict.new_images import NewImages, as_new_images
from raymed.predict.views import CALIBRATION, averages_views
from raymed.runs import MemberFolder, RunFolder


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
        *,
        tta: int = 1,
    ) -> pd.DataFrame:
        """Predict images; one row an image, then one a patient where patients are given.

        Columns: level (`image` or `patient`), image, patient, predicted (a class),
        `probability_<class>` for each class, `set` (the classes of the conformal set, joined by
        `|`; empty where none fits), and in nats `uncertainty` with its parts `expected_entropy`
        and `disagreement` among the fold models of all members. A patient's are means over his
        images; his set is that of patients.

        With `tta` above 1 each fold model's probabilities are the means over so many views of an
        image (`raymed.predict.views`): a column `views` says so, and `table.attrs["tta"]`. Raises
        `InputError` for images that cannot be read, and for views where no member has any.
        """
        viewing = self._viewing(tta)
        new = as_new_images(images, patients).frames(self.run.experiment().data.slices)
        found = self._predicted(new.images, tta)
        rows = self._table("image", found, new.images, new.patients)
        if new.patients is None:
            return _marked(rows, viewing)
        names = list(dict.fromkeys(new.patients))
        of_person = {name: place for place, name in enumerate(names)}
        order = np.array([of_person[patient] for patient in new.patients])
        people = self._table("patient", found.averaged(order), ("",) * len(names), names)
        return _marked(pd.concat([rows, people], ignore_index=True), viewing)

    def _viewing(self, tta: int) -> dict[str, Any]:
        """Tell what is averaged over views, in JSON's types; nothing where none are."""
        if tta < 0:
            raise InputError("tta", f"{tta} views", "give 0 or more; 0 and 1 are the plain image")
        if tta <= 1:
            return {}
        recipes = [named_recipe(self.run.member(member)) for member in self.stack.members]
        viewed = [name for name, recipe in recipes if averages_views(recipe, tta)]
        if not viewed:
            raise InputError(
                "tta", f"{tta} views, but no member was trained with augmentation", "leave it out"
            )
        averaged = "each fold model's probabilities, over the plain image and changed ones"
        return {"views": tta, "members": viewed, "mean_of": averaged, "calibration": CALIBRATION}

    def _predicted(self, images: Sequence[str], tta: int) -> "_Predicted":
        manifest = Manifest.read(self.run.manifest_file)
        refuse_unusable(images, manifest.intensity)
        with tempfile.TemporaryDirectory() as scratch:
            logits = [
                self._member_logits(self.run.member(member), images, manifest, Path(scratch), tta)
                for member in self.stack.members
            ]
        joined, learner = np.stack(logits, axis=2), self.stack.meta_learner
        models = joined.transpose(0, 2, 1, 3).reshape(-1, len(images), joined.shape[3])
        weights = np.tile(learner.member_weights, self.stack.folds)
        found = predict_folds(learner, joined)
        return _Predicted(found["image"], found["patient"], split_uncertainty(models, weights))

    def _member_logits(
        self,
        member: MemberFolder,
        images: Sequence[str],
        manifest: Manifest,
        scratch: Path,
        tta: int,
    ) -> npt.NDArray[np.float32]:
        """Return logits [folds, images, classes] of a member's fold models."""
        pixels = _decoded(images, member_recipe(member).size, manifest, scratch)
        logits = room_for_logits(self.stack, len(images))
        for _ in predict_member(member, pixels, logits, self.device, tta):
            pass
        return logits

    def _table(
        self,
        level: str,
        found: "_Predicted",
        images: Sequence[str],
        patients: Sequence[str] | None,
    ) -> pd.DataFrame:
        classes = np.array(self.stack.classes, dtype=object)
        columns: dict[str, object] = {"level": level, "image": list(images)}
        if patients is not None:
            columns["patient"] = list(patients)
        values = found.probabilities
        columns["predicted"] = classes[values.argmax(axis=1)]
        columns |= {f"probability_{name}": values[:, i] for i, name in enumerate(classes)}
        if level in self.stack.conformal:  # patients may be known here who were not in training
            sets = self.stack.conformal[level].sets(values)
            columns["set"] = ["|".join(classes[inside]) for inside in sets]
        columns["uncertainty"] = found.uncertainty.total
        columns["expected_entropy"] = found.uncertainty.expected
        columns["disagreement"] = found.uncertainty.disagreement
        return pd.DataFrame(columns)


@dataclass(frozen=True)
class _Predicted:
    """Probabilities [rows, classes], those to average over patients, and each row's uncertainty."""

    probabilities: npt.NDArray[np.float64]
    to_average: npt.NDArray[np.float64]
    uncertainty: Uncertainty

    def averaged(self, groups: npt.NDArray[np.int64]) -> "_Predicted":
        """Average the rows of each group, numbered from 0."""
        counts = np.bincount(groups)

        def mean(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
            return np.bincount(groups, values) / counts

        own = self.uncertainty
        people = np.stack([mean(column) for column in self.to_average.T], axis=1)
        return _Predicted(
            people,
            people,
            Uncertainty(mean(own.total), mean(own.expected), mean(own.disagreement)),
        )


def _marked(table: pd.DataFrame, viewing: dict[str, Any]) -> pd.DataFrame:
    """Say beside the predictions that they are means over views; Parquet keeps `attrs`."""
    if viewing:
        table["views"] = viewing["views"]
        table.attrs["tta"] = viewing
    return table


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


def refuse_unusable(images: Sequence[str], intensity: Intensity) -> None:
    """Open every image; raise `InputError` that names those which cannot be used."""
    refusal = refuse_images([found.fault for found in inspect_images(images, intensity)])
    if refusal is not None:
        raise InputError(refusal.place, refusal.fault, "repair or remove them")


def _decoded(images: Sequence[str], size: int, manifest: Manifest, scratch: Path) -> Images:
    """Decode images as those of a manifest were, to a memory-mapped array, once a size.

    Where the disk has no room for them they are decoded for each batch.
    """
    path, channels = scratch / f"{size}.npy", manifest.channels
    if path.exists():
        return open_array(path)
    try:
        pixels = new_array(path, np.uint8, decoded_shape(len(images), size, channels))
    except OSError as error:
        path.unlink(missing_ok=True)
        if not lacks_space(error):
            raise
        return StreamedImages(images, size, channels, manifest.intensity)
    for row, image in enumerate(load_images(images, size, channels, manifest.intensity)):
        pixels[row] = image
    return pixels
