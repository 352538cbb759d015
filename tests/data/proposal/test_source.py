"""Files that are a whole source, and DICOM in class folders."""

from pathlib import Path

import numpy as np
import pytest

from raymed.data.proposal import propose
from raymed.errors import InputError
from tests.data.pixels.scans import write_dicom


def test_an_npz_numbers_its_classes(tmp_path: Path) -> None:
    images = np.zeros((6, 4, 4), np.uint8)
    np.savez(tmp_path / "set.npz", train_images=images, train_labels=np.arange(6) % 3)

    found = propose(tmp_path / "set.npz")

    assert found.order.classes == ("0", "1", "2")
    assert (found.order.ordinal, found.patients) == (False, None)


def test_an_npz_may_tell_patients(tmp_path: Path) -> None:
    images, who = np.zeros((6, 4, 4), np.uint8), np.arange(6) // 2
    labels = np.arange(6) % 2
    np.savez(tmp_path / "a.npz", train_images=images, train_labels=labels, train_subject=who)

    found = propose(tmp_path / "a.npz")

    assert found.patients is not None
    assert found.patients.setting == {"column": "subject"}


def test_headers_of_dicom_tell_patients(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    for number in range(8):
        folder = tmp_path / ("ill" if number % 2 else "healthy") / f"P{number}"
        write_dicom(folder / "1.dcm", pixels, PatientID=f"id {number // 2}")

    found = propose(tmp_path)

    assert found.patients is not None
    assert found.patients.setting == {"dicom": "PatientID"}
    assert "4 patients" in found.patients.why


def test_one_id_in_all_headers_tells_nobody(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    for number in range(4):
        name = f"{'ill' if number % 2 else 'healthy'}/{number}.dcm"
        write_dicom(tmp_path / name, pixels, PatientID="anonymous")

    assert propose(tmp_path).patients is None


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "scans.zip").touch()

    with pytest.raises(InputError, match=r"cannot tell what scans.zip is"):
        propose(tmp_path / "scans.zip")
