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

from raymed.data import Manifest
from raymed.data.predictions import Level
from raymed.ensemble import Stack, predict_folds, read_stack, split_uncertainty
from raymed.errors import InputError
from raymed.predict.decoding import decode_images, refuse_unusable
from raymed.predict.evidence import Opinion
from raymed.predict.few_shot import Support, predict_by_support
from raymed.predict.member import (
    member_recipe,
    named_recipe,
    predict_member,
    room_for_logits,
)
from raymed.predict.new_images import NewImages, as_new_images
from raymed.predict.predicted import Predicted
from raymed.predict.table import class_columns, plain_table
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

        Where the stack has evidential members there are `evidential_uncertainty`,
        `evidential_belief_<class>` and `evidential_probability_<class>` as well, means over their
        fold models and over a patient's images (`raymed.predict.evidence`). With views they are
        left out: evidence cannot be read from averaged probabilities.

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
        names, order = new.numbered_patients()
        people = self._table("patient", found.averaged(order), ("",) * len(names), names)
        return _marked(pd.concat([rows, people], ignore_index=True), viewing)

    def predict_few_shot(
        self,
        images: NewImages | Path | str | Sequence[Path | str],
        support: Support | Path | str,
        patients: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Predict images by a few others that name the classes, which training need not have seen.

        `support` is a folder with a folder of images for each class. The prototypical members alone
        are asked (`raymed.predict.few_shot`). Columns: level, image, patient where known, predicted
        and `probability_<class>` of the support's classes; a patient's are means over his images.
        Raises `InputError` for a stack without such a member, a support of fewer than two classes
        and images that cannot be read.
        """
        slices = self.run.experiment().data.slices
        if not isinstance(support, Support):
            support = Support.find(Path(support), slices)
        new = as_new_images(images, patients).frames(slices)
        found = predict_by_support(self.run, self.stack, new.images, support, self.device)
        return plain_table(new, support.classes, found)

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

    def _predicted(self, images: Sequence[str], tta: int) -> Predicted:
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
        return Predicted(
            found["image"],
            found["patient"],
            split_uncertainty(models, weights),
            self._opinion(logits) if tta <= 1 else None,
        )

    def _opinion(self, logits: Sequence[npt.NDArray[np.float32]]) -> Opinion | None:
        """Read the evidential members' logits [folds, images, classes]; None without any."""
        members = zip(self.stack.members, logits, strict=True)
        own = [said for id_, said in members if member_recipe(self.run.member(id_)).evidential]
        return Opinion.of(np.concatenate(own)) if own else None

    def _member_logits(
        self,
        member: MemberFolder,
        images: Sequence[str],
        manifest: Manifest,
        scratch: Path,
        tta: int,
    ) -> npt.NDArray[np.float32]:
        """Return logits [folds, images, classes] of a member's fold models."""
        pixels = decode_images(images, member_recipe(member).size, manifest, scratch)
        logits = room_for_logits(self.stack, len(images))
        for _ in predict_member(member, pixels, logits, self.device, tta):
            pass
        return logits

    def _table(
        self,
        level: Level,
        found: Predicted,
        images: Sequence[str],
        patients: Sequence[str] | None,
    ) -> pd.DataFrame:
        values, classes = found.probabilities, np.array(self.stack.classes, dtype=object)
        columns = class_columns(level, images, patients, self.stack.classes, values)
        if level in self.stack.conformal:  # patients may be known here who were not in training
            sets = self.stack.conformal[level].sets(values)
            columns["set"] = ["|".join(classes[inside]) for inside in sets]
        columns["uncertainty"] = found.uncertainty.total
        columns["expected_entropy"] = found.uncertainty.expected
        columns["disagreement"] = found.uncertainty.disagreement
        if found.opinion is not None:
            columns |= found.opinion.columns(self.stack.classes)
        return pd.DataFrame(columns)


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
