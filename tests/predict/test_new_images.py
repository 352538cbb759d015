"""What is to be predicted is listed as samples are."""

import tarfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from raymed.config import DataConfig, Slices
from raymed.data import Manifest, list_samples
from raymed.data.decoded.streaming import StreamedImages
from raymed.data.images import inspect_images
from raymed.errors import InputError
from raymed.predict import NewImages
from raymed.predict.decoding import decode_images
from tests.data.pixels.scans import write_dicom, write_nifti
from tests.disks import tiny_disk


def test_files_of_every_kind_are_listed_frame_by_frame(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    write_dicom(tmp_path / "b.dcm", np.zeros((2, 4, 4), np.uint16))
    write_nifti(tmp_path / "c.nii", np.zeros((4, 4, 9), np.int16))

    found = NewImages.find(tmp_path).frames(Slices(between=(0.5, 0.8)))

    names = [Path(image).name if "::" not in image else image for image in found.images]
    assert names == [
        "a.png",
        f"{tmp_path}/b.dcm::0",
        f"{tmp_path}/b.dcm::1",
        *(f"{tmp_path}/c.nii::axial/{number}" for number in (4, 5, 6)),
    ]


def test_every_frame_is_of_its_files_patient(tmp_path: Path) -> None:
    for name in ("p1", "p2"):
        write_dicom(tmp_path / f"{name}.dcm", np.zeros((2, 4, 4), np.uint16))

    found = NewImages.find(tmp_path, pattern=r"(p\d)\.dcm").frames(Slices())

    assert found.patients == ("p1", "p1", "p2", "p2")


def test_a_semicolon_table_names_what_to_predict(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    (tmp_path / "t.csv").write_text("\ufeffimage;patient\na.png;P 7\n")

    found = NewImages.find(tmp_path / "t.csv")

    assert (found.images, found.patients) == ((str(tmp_path / "a.png"),), ("P 7",))


def test_an_unreadable_file_stays_listed_so_that_it_is_named_later(tmp_path: Path) -> None:
    (tmp_path / "x.dcm").write_text("no image")

    assert NewImages.find(tmp_path).frames(Slices()).images == (str(tmp_path / "x.dcm"),)


def test_new_images_are_decoded_for_each_batch_where_the_disk_has_no_room(tmp_path: Path) -> None:
    paths = []
    for number in range(3):
        paths.append(str(tmp_path / f"{number}.png"))
        pixels = np.random.default_rng(number).integers(0, 255, (90, 70), dtype=np.uint8)
        Image.fromarray(pixels).save(paths[-1])
    trained_on = Manifest(pd.DataFrame(), ("a", "b"), True, 1)
    with tiny_disk(tmp_path / "small", "16k"):
        streamed = decode_images(paths, 96, trained_on, tmp_path / "small")
        assert isinstance(streamed, StreamedImages)
        assert list((tmp_path / "small").iterdir()) == []
        kept = decode_images(paths, 96, trained_on, tmp_path)
        np.testing.assert_array_equal(streamed[:], kept)


@pytest.fixture
def ward(tmp_path: Path) -> Path:
    for label, patient in (("ill", "MRN1"), ("ill", "MRN2"), ("well", "MRN3")):
        for scan in range(2):
            path = tmp_path / f"ward/{label}/{patient}-{scan}"
            write_dicom(path, np.full((2, 4, 4), scan, np.uint16), PatientID=patient)
    return tmp_path / "ward"


@pytest.mark.parametrize("keyed", [False, True])
def test_patients_of_headers_are_the_pseudonyms_of_a_manifest(ward: Path, keyed: bool) -> None:
    secret = ward.parent / "study.key" if keyed else None
    if secret is not None:
        secret.write_bytes(b"sixteen bytes or more")
    listed = list_samples(
        DataConfig(source=ward, patients={"dicom": "PatientID", "secret": secret})
    ).table

    found = NewImages.find(ward, dicom="PatientID", secret=secret).frames(Slices())

    assert found.patients is not None
    assert dict(zip(found.images, found.patients, strict=True)) == dict(
        zip(listed["image"], listed["patient"], strict=True)
    )
    assert "MRN" not in "".join(found.patients)


def test_a_secret_makes_patients_of_two_sets_comparable(ward: Path) -> None:
    secret = ward.parent / "study.key"
    secret.write_bytes(b"sixteen bytes or more")
    part = ward / "ill"

    whole = NewImages.find(ward, dicom="PatientID", secret=secret).patients
    own = NewImages.find(part, dicom="PatientID").patients

    assert set(NewImages.find(part, dicom="PatientID", secret=secret).patients or ()) < set(whole)
    assert not set(own) & set(NewImages.find(ward, dicom="PatientID").patients)


def test_pictures_have_no_header_and_headers_may_lack_the_attribute(ward: Path) -> None:
    write_dicom(ward / "ill/nobody", np.zeros((4, 4), np.uint16), PatientID="")
    with pytest.raises(InputError, match=r"dicom: PatientID: 1 images do not have it: .*nobody"):
        NewImages.find(ward, dicom="PatientID")
    Image.new("L", (4, 4)).save(ward / "ill/a.png")
    with pytest.raises(InputError, match=r"1 images are no DICOM files: .*a\.png; say where"):
        NewImages.find(ward, dicom="PatientID")


def test_a_broken_file_is_of_nobody_else(ward: Path) -> None:
    (ward / "x.dcm").write_text("no image")

    patients = NewImages.find(ward, dicom="PatientID").patients

    assert len(set(patients or ())) == 4


def test_patients_are_said_in_one_way(ward: Path) -> None:
    with pytest.raises(InputError, match=r"patients: said in 2 ways: \(MRN.\), PatientID"):
        NewImages.find(ward, pattern="(MRN.)", dicom="PatientID")
    with pytest.raises(InputError, match=r"unknown attribute 'PatientName'; PatientID, Study"):
        NewImages.find(ward, dicom="PatientName")


def test_files_that_hold_images_are_refused_but_their_images_may_be_named(tmp_path: Path) -> None:
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        tar.add(tmp_path / "a.png", "a.png")
    rows = pa.table({"image": [(tmp_path / "a.png").read_bytes()]})
    pq.write_table(rows, tmp_path / "a.parquet")
    for name in ("a.tar", "a.parquet"):
        with pytest.raises(InputError, match=rf"{name}: holds images of its own; unpack it"):
            NewImages.find(tmp_path / name)
    (tmp_path / "t.csv").write_text("image\na.tar::a.png\na.parquet::0\n")

    found = NewImages.find(tmp_path / "t.csv").frames(Slices())

    assert found.images == (f"{tmp_path}/a.tar::a.png", f"{tmp_path}/a.parquet::0")
    assert len({each.checksum for each in inspect_images(found.images)}) == 1
