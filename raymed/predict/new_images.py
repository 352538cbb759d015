"""Images to predict: found, listed, each with its patient where that is known."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt

from raymed.config import Slices
from raymed.data.intake.frames import IDS, references_of
from raymed.data.intake.image_files import IMAGE_SUFFIXES, find_images
from raymed.data.intake.keyed import TABLE_SUFFIXES, column_of, is_table, read_table
from raymed.data.intake.moved import place_images
from raymed.data.intake.patients import patients_in_headers, patients_in_paths
from raymed.data.pixels.contract import holds_files
from raymed.errors import InputError, some


@dataclass(frozen=True)
class NewImages:
    """Images to predict, each with its patient where that is known."""

    images: tuple[str, ...]
    patients: tuple[str, ...] | None = None

    @classmethod
    def find(
        cls,
        source: Path,
        *,
        patient_column: str | None = None,
        pattern: str | None = None,
        dicom: str | None = None,
        secret: Path | None = None,
    ) -> Self:
        """List the images of a folder, a single file, or a table with a column `image`.

        Patients come from `patient_column` of the table (or its column `patient` if there is
        one), from the one group of a regular expression over the path, or, under pseudonyms, from
        an attribute of their DICOM headers: `PatientID`, `StudyInstanceUID`, `SeriesInstanceUID`.
        Pseudonyms are made with the file `secret`, or with the ids of all these images.
        """
        ways = [way for way in (patient_column, pattern, dicom) if way is not None]
        if len(ways) > 1:
            raise InputError("patients", f"said in {len(ways)} ways: {some(ways)}", "choose one")
        if dicom is not None and dicom not in IDS:
            raise InputError("patients by dicom", f"unknown attribute {dicom!r}", some(IDS))
        if not source.exists():
            raise InputError(str(source), "no such file or folder", "give images to predict")
        if source.is_file() and holds_files(source.name) and not is_table(source):
            remedy = "unpack it, or give a table whose column image names FILE::MEMBER or FILE::ROW"
            raise InputError(str(source), "holds images of its own", remedy)
        patients = None
        if source.suffix.lower() in TABLE_SUFFIXES:
            table = read_table(source)
            relative = column_of(table, "image", str(source)).tolist()
            images = place_images(relative, source, None)
            column = patient_column or ("patient" if "patient" in table.columns else None)
            if column is not None:
                patients = tuple(column_of(table, column, str(source)))
        elif source.is_dir():
            images = [str(path) for path in find_images(source)]
        else:
            images = [str(source)]
        if not images:
            raise InputError(
                str(source),
                "holds no images",
                f"known suffixes: {some(sorted(IMAGE_SUFFIXES), 20)}",
            )
        if pattern is not None:
            patients = tuple(patients_in_paths(images, pattern))
        if dicom is not None:
            patients = tuple(patients_in_headers(images, dicom, secret))
        return cls(tuple(images), patients)

    def numbered_patients(self) -> tuple[list[str], npt.NDArray[np.int64]]:
        """Name each patient once, in the order of images, and give each image its patient's number.

        Only where patients are known.
        """
        assert self.patients is not None
        names = list(dict.fromkeys(self.patients))
        number = {name: place for place, name in enumerate(names)}
        return names, np.array([number[patient] for patient in self.patients], dtype=np.int64)

    def frames(self, slices: Slices) -> Self:
        """Name every frame of files that hold several, each with the file's patient."""
        named = references_of(list(self.images), slices)
        images = tuple(frame for frames in named for frame in frames)
        if self.patients is None:
            return type(self)(images)
        pairs = zip(named, self.patients, strict=True)
        return type(self)(images, tuple(who for frames, who in pairs for _ in frames))


def as_new_images(
    images: NewImages | Path | str | Sequence[Path | str], patients: Sequence[str] | None
) -> NewImages:
    """List images given as a path, as paths, or listed already."""
    if isinstance(images, Path | str):
        images = NewImages.find(Path(images))
    if not isinstance(images, NewImages):
        images = NewImages(tuple(str(path) for path in images))
    if patients is None:
        return images
    if len(patients) != len(images.images):
        raise InputError("patients", f"{len(patients)} for {len(images.images)} images")
    return NewImages(images.images, tuple(patients))
