"""A sample a frame; DICOM headers say whose it is, by pseudonyms."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from raymed.data import decode_images, image_file, list_samples, open_array, read_manifest
from raymed.data.images import inspect_images
from raymed.data.intake.external import Overlap, list_external
from raymed.errors import InputError
from tests.data.pixels.scans import write_dicom, write_nifti

rng = np.random.default_rng(0)


def slices(count: int = 1) -> np.ndarray:
    pixels = rng.integers(0, 4096, (count, 8, 8), dtype=np.uint16)
    return pixels if count > 1 else pixels[0]


@pytest.fixture
def ward(toy):
    """Two classes of two patients with three slices each, without suffixes; one is multi-frame."""
    for label, patients in {"ill": ("Doe^Jane", "Roe^Rick"), "well": ("Poe^Ed", "Moe^Sue")}.items():
        for number, name in enumerate(patients):
            who = {"PatientName": name, "PatientID": f"MRN{label}{number}", "StationName": "ROOM7"}
            folder = toy.root / label / f"case{number}"
            if label == "well" and number == 1:
                write_dicom(folder / "all.dcm", slices(3), **who)
                continue
            for image in range(3):
                write_dicom(folder / f"1.2.840.{image}", slices(), **who)
    (toy.root / "ill/case0/DICOMDIR").write_bytes(bytes(128) + b"DICM")
    (toy.root / "ill/case0/notes.txt").write_text("Jane")
    return toy


def test_a_dicom_tree_is_slices_of_patients(ward) -> None:
    manifest = read_manifest(ward.data(patients={"dicom": "PatientID"}))
    assert manifest.table["sample_id"].tolist() == [
        *(f"ill/case{case}/1.2.840.{image}" for case in (0, 1) for image in range(3)),
        *(f"well/case0/1.2.840.{image}" for image in range(3)),
        *(f"well/case1/all.dcm::{image}" for image in range(3)),
    ]
    assert manifest.table.groupby("patient").size().tolist() == [3] * 4
    assert set(manifest.table["site"]) == {"Magnets M1"}
    assert manifest.channels == 1
    assert manifest.table["checksum"].is_unique


def test_frames_are_decoded_each_in_its_place(ward) -> None:
    manifest = read_manifest(ward.data(patients={"dicom": "PatientID"}))
    target = image_file(ward.root / "cache", manifest, 8)
    list(decode_images(manifest, 8, target))
    again = list(inspect_images(manifest.table["image"].tolist()))
    assert [found.checksum for found in again] == manifest.table["checksum"].tolist()
    assert len(np.unique(open_array(target).reshape(12, -1), axis=0)) == 12


def test_pseudonyms_are_the_same_for_the_same_data_and_tell_nothing(ward) -> None:
    data = ward.data(patients={"dicom": "PatientID"})
    first, second = list_samples(data), list_samples(data)
    assert first.table["patient"].tolist() == second.table["patient"].tolist()
    assert all(re.fullmatch(r"[0-9a-f]{6}-[0-9a-f]{16}", name) for name in first.table["patient"])
    text = first.table.to_csv()
    assert not any(word in text for word in ("MRN", "Doe", "Roe", "ROOM7"))


def test_another_patient_in_the_set_gives_everyone_another_pseudonym(ward) -> None:
    data = ward.data(patients={"dicom": "PatientID"})
    before = set(list_samples(data).table["patient"])
    write_dicom(ward.root / "ill/case2/x.dcm", slices(), PatientID="new")
    assert not before & set(list_samples(data).table["patient"])


def test_one_secret_makes_two_sets_comparable(ward, tmp_path_factory) -> None:
    secret = tmp_path_factory.mktemp("keys") / "study.key"
    secret.write_bytes(b"sixteen bytes or more")
    other = tmp_path_factory.mktemp("other")
    write_dicom(other / "ill/a.dcm", slices(), PatientID="MRNill0")
    write_dicom(other / "well/b.dcm", slices(), PatientID="stranger")
    for keyed in (True, False):
        patients = {"dicom": "PatientID", **({"secret": secret} if keyed else {})}
        run = read_manifest(ward.data(patients=patients))
        data = ward.data(patients=patients, classes=("ill", "well"))
        listing = list_external(data.model_copy(update={"source": other}))
        external = listing.inspected(list(inspect_images(listing.images)))
        overlap = Overlap.of(external, run)
        assert len(overlap.trained) == keyed
        assert any("not made with one key" in doubt for doubt in overlap.doubts) != keyed


def test_a_secret_must_be_there_and_long_enough(ward) -> None:
    secret = ward.text("short.key", "abc\n")
    for path, fault in ((secret, "is too short"), (ward.root / "none.key", "cannot be read")):
        with pytest.raises(InputError, match=fault):
            list_samples(ward.data(patients={"dicom": "PatientID", "secret": path}))


@pytest.mark.parametrize(("attribute", "groups"), [("StudyInstanceUID", 10), ("PatientID", 4)])
def test_studies_may_be_the_groups(ward, attribute: str, groups: int) -> None:
    found = list_samples(ward.data(patients={"dicom": attribute})).table
    assert found["patient"].nunique() == groups


def test_images_without_the_attribute_are_named(ward) -> None:
    write_dicom(ward.root / "ill/case0/nobody.dcm", slices(), PatientID="")
    with pytest.raises(InputError, match=r"PatientID: 1 images do not have it: ill/case0/nobody"):
        list_samples(ward.data(patients={"dicom": "PatientID"}))


def test_pictures_have_no_header_to_ask(scans) -> None:
    with pytest.raises(InputError, match=r"data\.patients\.dicom: PatientID: no image is a DICOM"):
        list_samples(scans.data(patients={"dicom": "PatientID"}))


def test_station_and_institution_may_be_sites_under_pseudonyms(ward) -> None:
    write_dicom(ward.root / "ill/case0/other.dcm", slices(), PatientID="x", StationName="ROOM8")
    data = ward.data(patients={"dicom": "PatientID"}, site_column="dicom:StationName")
    sites = list_samples(data).table["site"]
    assert sites.nunique() == 2
    assert not sites.str.contains("ROOM").any()


def test_a_column_of_the_header_that_is_not_there_is_refused(ward) -> None:
    with pytest.raises(InputError, match="has no column 'dicom:Station'"):
        list_samples(ward.data(site_column="dicom:Station"))


def test_rows_of_a_table_may_be_folders_of_a_patient_each(ward) -> None:
    table = pd.DataFrame(
        {
            "image": ["ill/case0", "ill/case1", "well/case0", "well/case1/all.dcm"],
            "label": ["ill", "ill", "well", "well"],
            "sample_id": ["a", "b", "c", "d"],
            "who": ["1", "2", "3", "4"],
        }
    )
    table.to_csv(ward.root / "t.csv", index=False)
    manifest = read_manifest(ward.data("t.csv", patients={"column": "who"}))
    assert manifest.table["sample_id"].tolist()[2:4] == ["a/1.2.840.2", "b/1.2.840.0"]
    assert manifest.table["sample_id"].tolist()[-1] == "d::2"
    assert manifest.table.groupby("patient").size().to_dict() == dict.fromkeys("1234", 3)


def test_two_patients_in_one_folder_are_refused_without_their_ids(ward) -> None:
    write_dicom(ward.root / "ill/case0/stray.dcm", slices(), PatientID="MRNill1")
    ward.text("t.csv", "image,label\nill/case0,ill\nwell/case0,well\n")
    with pytest.raises(InputError, match="files of 2 patients, an example of each") as refusal:
        list_samples(ward.data("t.csv"))
    assert "stray.dcm" in str(refusal.value)
    assert "MRN" not in str(refusal.value)


def test_frames_of_one_file_are_one_patient_where_patients_are_unknown(ward) -> None:
    found = list_samples(ward.data()).table
    assert found["patient"].nunique() == 10
    assert set(found["patient"].tail(3)) == {"well/case1/all.dcm"}


@pytest.fixture
def volumes(toy):
    """Four volumes with a table of labels and patients."""
    for number in range(4):
        voxels = rng.integers(0, 1000, (6, 7, 10)).astype(np.int16)
        write_nifti(toy.root / f"v{number}.nii.gz", voxels)
    toy.text(
        "labels.csv",
        "image,label,person\nv0.nii.gz,x,p0\nv1.nii.gz,y,p1\nv2.nii.gz,x,p2\nv3.nii.gz,y,p3\n",
    )
    return toy


def test_volumes_of_a_table_become_their_slices(volumes) -> None:
    data = volumes.data("labels.csv", patients={"column": "person"}, slices={"between": (0.4, 0.7)})
    manifest = read_manifest(data)
    assert manifest.table["sample_id"].tolist() == [
        f"v{number}.nii.gz::axial/{place}" for number in range(4) for place in (4, 5, 6)
    ]
    assert manifest.labels.tolist() == [0] * 3 + [1] * 3 + [0] * 3 + [1] * 3
    assert manifest.patients.tolist() == [f"p{number}" for number in range(4) for _ in range(3)]


def test_another_axis_or_window_is_another_set_of_images(volumes) -> None:
    def content(**settings) -> str:
        return read_manifest(volumes.data("labels.csv", **settings)).images

    plain = content()
    assert content() == plain
    assert content(slices={"axis": "coronal"}) != plain
    assert content(intensity={"range": (0, 400)}) != plain
    assert content(intensity={"percentiles": (0.5, 99.5)}) == plain  # what is done anyway


def test_another_table_names_volumes_once_for_all_their_slices(volumes) -> None:
    volumes.text("people.csv", "file,person\n" + "".join(f"v{n}.nii.gz,q{n}\n" for n in range(4)))
    patients = {"file": volumes.root / "people.csv", "column": "person"}
    found = list_samples(volumes.data("labels.csv", patients=patients)).table
    assert found.groupby("patient").size().to_dict() == {f"q{n}": 10 for n in range(4)}


def test_a_row_may_name_one_slice(volumes) -> None:
    volumes.text("one.csv", "image,label\nv0.nii.gz::axial/3,x\nv1.nii.gz::coronal/2,y\n")
    assert len(read_manifest(volumes.data("one.csv")).table) == 2


def test_pages_of_a_picture_are_samples(toy) -> None:
    for name in ("ill/a.tif", "well/b.gif"):
        pages = [Image.new("L", (6, 6), 40 * number) for number in range(3)]
        (toy.root / name).parent.mkdir()
        pages[0].save(toy.root / name, save_all=True, append_images=pages[1:])
    manifest = read_manifest(toy.data())
    assert manifest.table["sample_id"].tolist() == [
        f"{name}::{page}" for name in ("ill/a.tif", "well/b.gif") for page in range(3)
    ]


def test_the_manifest_keeps_how_deep_pixels_are_read(volumes, tmp_path: Path) -> None:
    manifest = read_manifest(volumes.data("labels.csv", intensity={"window": (40, 80)}))
    manifest.write(tmp_path / "m.parquet")
    assert type(manifest).read(tmp_path / "m.parquet").intensity == manifest.intensity


def test_a_pattern_that_takes_two_patients_for_one_is_refused_without_their_ids(ward) -> None:
    pattern = {"pattern": r"(case\d)"}  # both classes have a case0
    with pytest.raises(InputError, match="takes files of 2 patients for one, 'case0'") as refusal:
        list_samples(ward.data(patients=pattern))
    assert "ill/case0/1.2.840.0, well/case0/1.2.840.0" in str(refusal.value)
    assert "MRN" not in str(refusal.value)
    apart = list_samples(ward.data(patients={"pattern": r"(\w+/case\d)"})).table
    assert apart["patient"].nunique() == 4
