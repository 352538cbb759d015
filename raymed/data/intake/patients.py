"""Who a sample belongs to."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import pandas as pd

from raymed.config import DataConfig, Slices
from raymed.data.intake.frames import PREFIX, UNREADABLE, list_files, pseudonyms_of
from raymed.data.intake.keyed import values_of_samples
from raymed.errors import InputError, some
from raymed.stories import result_of


def find_patients(samples: pd.DataFrame, data: DataConfig) -> pd.Series:
    """Return each sample's patient as `data.patients` says; every sample must have one.

    With `patients: none` a sample is its own patient, but frames of one file are of one; with
    `recovered` it is so at first.
    """
    source = data.patients
    assert source is not None
    if not source.known:
        return samples["whole" if "whole" in samples.columns else "sample_id"]
    if source.pattern is not None:
        values = pd.Series(patients_in_paths(samples["relative"], source.pattern), samples.index)
        _refuse_mixed(values, samples)
        return values
    if source.dicom is not None:
        return _patients_in_headers(samples, source.dicom)
    assert source.column is not None
    return values_of_samples(samples, data.source, source.column, source.file, source.key)


def _refuse_mixed(patients: pd.Series, samples: pd.DataFrame) -> None:
    """Refuse a pattern that gives one patient the DICOM files of several; ids stay untold."""
    header = PREFIX + "PatientID"
    if header not in samples.columns:
        return
    named = samples[~samples[header].str.startswith(UNREADABLE) & (samples[header] != "")]
    firsts = named.assign(patient=patients).drop_duplicates(["patient", header])
    for patient, rows in firsts.groupby("patient"):
        if len(rows) > 1:
            raise InputError(
                "data.patients.pattern",
                f"takes files of {len(rows)} patients for one, {patient!r}, by their headers: "
                f"{some(rows['sample_id'].tolist())}",
                "divide them, or say {dicom: PatientID} or a table's column",
            )


def _patients_in_headers(samples: pd.DataFrame, attribute: str) -> pd.Series:
    """Give the pseudonyms of what a DICOM attribute says; every sample must have it."""
    place = f"data.patients.dicom: {attribute}"
    if PREFIX + attribute not in samples.columns:
        raise InputError(place, "no image is a DICOM file", "say where patients are otherwise")
    values = samples[PREFIX + attribute]
    missing = samples["sample_id"][values == ""].tolist()
    if missing:
        raise InputError(place, f"{len(missing)} images do not have it: {some(missing)}")
    return values


def patients_in_headers(images: Sequence[str], attribute: str, secret: Path | None) -> list[str]:
    """Give the pseudonym of each image's patient, study or series, as its DICOM header says.

    They are those of a manifest over the same files, or under the same `secret`. Files that cannot
    be read, which opening them tells, are of nobody else. Raises `InputError` for other files, and
    for headers that do not say it.
    """
    looked = result_of(list_files(list(images), Slices()))
    names, place = pseudonyms_of(looked, secret), f"patients by dicom: {attribute}"
    strangers = [
        image
        for image, found in zip(images, looked, strict=True)
        if found.facts is None and not found.broken
    ]
    if strangers:
        told = f"{len(strangers)} images are no DICOM files: {some(strangers)}"
        raise InputError(place, told, "say where patients are otherwise")
    patients = [
        UNREADABLE + image if found.facts is None else names.of(attribute, found.facts[attribute])
        for image, found in zip(images, looked, strict=True)
    ]
    missing = [image for image, patient in zip(images, patients, strict=True) if not patient]
    if missing:
        raise InputError(place, f"{len(missing)} images do not have it: {some(missing)}")
    return patients


def patients_in_paths(paths: Iterable[str], pattern: str) -> list[str]:
    """Return the patient in each path: what the one group of `pattern` matches."""
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise InputError("patients pattern", f"{pattern!r} is not valid: {error}") from None
    if compiled.groups != 1:
        raise InputError(
            "patients pattern",
            f"{pattern!r} has {compiled.groups} groups",
            "put the patient into one pair of parentheses",
        )
    found = [(path, compiled.search(path)) for path in paths]
    strangers = [path for path, match in found if match is None or not match.group(1)]
    if strangers:
        raise InputError(
            "patients pattern",
            f"{pattern!r} finds no patient in {len(strangers)} images: {some(strangers)}",
        )
    return [match.group(1) for _, match in found if match is not None]
