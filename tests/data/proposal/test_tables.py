"""Tables as sources, with paths that can be followed and without."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raymed.data.phantom import STAGES, write_phantoms
from raymed.data.proposal import propose
from raymed.errors import InputError
from tests.data.pixels.scans import write_dicom, write_nifti

Write = Callable[..., Path]


def table_of(folder: Path, name: str = "labels.csv", **columns: object) -> Path:
    path = folder / name
    pd.DataFrame(columns).to_csv(path, index=False, sep="\t" if name.endswith(".tsv") else ",")
    return path


@pytest.mark.parametrize("inside", [".", "manifest.csv"])
def test_phantoms_are_their_manifest(tmp_path: Path, inside: str) -> None:
    write_phantoms(tmp_path, patients=8, slices=2, size=32)

    found = propose(tmp_path / inside)

    assert found.source == tmp_path / "manifest.csv"
    assert (found.order.classes, found.order.ordinal) == (STAGES, True)
    assert found.patients is not None
    assert (found.patients.setting, found.settings) == ({"column": "patient"}, {})


@pytest.mark.parametrize("column", ["patient_id", "subject", "Case ID", "participant"])
def test_columns_of_other_names_are_found(write: Write, column: str) -> None:
    names = [f"{number}.png" for number in range(6)]
    source = write(*[f"pictures/{name}" for name in names])
    table = table_of(source, file=names, Diagnosis=list("abcabc"), **{column: list("112233")})

    found = propose(table)

    assert found.manifest is None
    assert found.patients is not None
    assert found.patients.setting == {"column": column}
    assert found.settings == {
        "image_column": "file",
        "label_column": "Diagnosis",
        "root": source / "pictures",
    }


def test_names_without_suffix_make_a_manifest(write: Write) -> None:
    source = write("train/a1.png", "train/b2.png", "train/c3.png", "train/d4.png", "more/x.png")
    table = table_of(
        source,
        id_code=["a1", "b2", "c3", "d4", "gone"],
        level=["0", "1", "2", "", "0"],
        patient=["1", "2", "3", "4", "5"],
    )

    found = propose(table)

    assert found.manifest is not None
    assert found.manifest.to_dict("list") == {
        "image": ["train/a1.png", "train/b2.png", "train/c3.png"],
        "label": ["0", "1", "2"],
        "patient": ["1", "2", "3"],
    }
    assert found.order.ordinal
    assert len(found.notes) == 2
    assert propose(source).manifest is not None


def test_volumes_are_found_by_the_participant(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    for number in range(6):
        name = f"sub-{number:02}"
        voxels = rng.random((4, 5, 6), dtype=np.float32)
        write_nifti(tmp_path / "scans" / f"{name}_T1w.nii.gz", voxels)
    who = [f"sub-{number:02}" for number in range(6)]
    table_of(tmp_path, "participants.tsv", participant_id=who, group=["AD", "MCI", "CN"] * 2)

    found = propose(tmp_path)

    assert found.order.classes == ("CN", "MCI", "AD")
    assert found.manifest is not None
    assert found.manifest["image"].tolist() == [f"scans/{name}_T1w.nii.gz" for name in who]
    assert found.manifest["patient"].tolist() == who


def test_dicom_files_are_found_by_the_patient_in_their_header_who_stays_untold(
    tmp_path: Path,
) -> None:
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    for number in range(6):
        write_dicom(tmp_path / "scans" / f"{number}.dcm", pixels, PatientID=f"MRN77{number // 2}")
    table_of(tmp_path, "clinic.csv", mrn=["MRN770", "MRN771", "MRN772"], stage=["I", "II", "I"])

    found = propose(tmp_path)

    assert found.patients is not None
    assert found.patients.setting == {"dicom": "PatientID"}
    assert found.manifest is not None
    assert found.manifest["label"].tolist() == ["I", "I", "II", "II", "I", "I"]
    assert "MRN77" not in found.manifest.to_csv() + str(found)


def test_a_table_without_labels_says_which_columns_it_has(write: Write) -> None:
    source = write("a.png", "b.png")
    table = table_of(source, image=["a.png", "b.png"], remark=["x", "y"])

    with pytest.raises(InputError, match=r"no column is known to hold the labels: image, remark"):
        propose(table)
    with pytest.raises(InputError, match="no column is known to hold the labels"):
        propose(source)


def test_a_table_that_names_no_image_is_refused(write: Write) -> None:
    table = table_of(write("a.png", "b.png"), who=["x", "y", "z"], label=["1", "2", "2"])

    with pytest.raises(InputError, match="no column names the 2 images"):
        propose(table)


def test_a_table_of_few_images_gives_way_to_class_folders(write: Write) -> None:
    source = write(*[f"{label}/{number}.png" for label in "ab" for number in range(4)])
    table_of(source, image=["a/0.png", "b/0.png", "b/1.png"], label=["x", "y", "y"])

    assert propose(source).order.classes == ("a", "b")
    assert propose(source / "labels.csv").order.classes == ("x", "y")  # it was asked for


def test_an_empty_table_is_refused(tmp_path: Path) -> None:
    table = table_of(tmp_path, image=[], label=[])

    with pytest.raises(InputError, match="has no rows"):
        propose(table)


def test_one_label_for_all_is_refused(write: Write) -> None:
    table = table_of(write("a.png", "b.png"), image=["a.png", "b.png"], label=["x", "x"])

    with pytest.raises(InputError, match="labels"):
        propose(table)
