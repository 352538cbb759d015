"""Patients that the headers of DICOM files name; their ids are compared here, and never told."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from raymed.config import Slices
from raymed.data.intake.frames import IDS, list_files
from raymed.data.pixels import DICOM, kind_of_file
from raymed.data.proposal.contract import PatientsGuess
from raymed.errors import InputError
from raymed.stories import result_of


def all_dicom(files: Sequence[Path]) -> bool:
    """Tell whether every file is DICOM; the first that is none ends the search."""
    return bool(files) and all(_is_dicom(file) for file in files)


def headers_of(files: Sequence[Path]) -> Mapping[str, list[str]]:
    """Give what each file's header says, for each attribute that groups files; `""` for nothing."""
    names = [str(file) for file in files]
    facts = [found.facts or {} for found in result_of(list_files(names, Slices()))]
    return {name: [each.get(name, "") for each in facts] for name in IDS}


def patients_in_headers(files: Sequence[Path]) -> PatientsGuess | None:
    """Take DICOM's PatientID where all files have one and they name two patients or more."""
    if not all_dicom(files):
        return None
    ids = headers_of(files)["PatientID"]
    if not all(ids) or len(set(ids)) < 2:
        return None
    return PatientsGuess(
        {"dicom": "PatientID"},
        f"{len(set(ids))} patients by PatientID, which all headers have; kept as pseudonyms",
    )


def _is_dicom(file: Path) -> bool:
    try:
        return kind_of_file(str(file)) == DICOM
    except InputError:
        return False
