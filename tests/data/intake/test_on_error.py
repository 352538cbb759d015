"""Unusable images stop everything, all named; or they are left out and the rest is unharmed."""

import numpy as np
import pytest

from raymed.data import read_manifest
from raymed.data.intake.manifest import list_samples
from raymed.errors import InputError
from raymed.pipeline.decoding import open_images
from raymed.pipeline.events import Note
from raymed.stories import result_of
from tests.data.pixels.scans import write_dicom, write_nifti


def test_unusable_images_are_left_out_and_named(scans) -> None:
    whole = read_manifest(scans.data()).table
    for name in ("ill/p2_0.png", "well/p3_1.png"):
        scans.text(name, "no image")
    events = []
    opening = open_images(list_samples(scans.data(on_error="skip")))
    manifest = None
    try:
        while True:
            events.append(next(opening))
    except StopIteration as end:
        manifest = end.value
    rest = whole[~whole["sample_id"].isin(["ill/p2_0.png", "well/p3_1.png"])]
    assert manifest.table.equals(rest.reset_index(drop=True))
    (note,) = [event for event in events if isinstance(event, Note)]
    assert note.warning
    assert note.text.startswith("2 of 8 images are left out, for they cannot be used: ")
    assert "ill/p2_0.png: no image" in note.text
    assert "well/p3_1.png: no image" in note.text


def test_what_is_usable_needs_no_note(scans) -> None:
    manifest = result_of(open_images(list_samples(scans.data(on_error="skip"))))
    assert len(manifest.table) == 8


def test_a_class_that_loses_every_image_stops_all_the_same(scans) -> None:
    for patient in ("p3", "p4"):
        for image in (0, 1):
            scans.text(f"well/{patient}_{image}.png", "no image")
    with pytest.raises(InputError, match="no usable image of class well is left"):
        read_manifest(scans.data(on_error="skip"))


def test_the_refusal_names_the_way_out(scans) -> None:
    scans.text("ill/p1_0.png", "no image")
    with pytest.raises(InputError, match=r"leave them out: data\.on_error=skip"):
        read_manifest(scans.data())


@pytest.fixture
def mixed(toy):
    """A tree as hospitals have it: DICOM of several kinds, broken files, a bad volume."""
    pixels = np.arange(64, dtype=np.uint16).reshape(8, 8)
    for label in ("ill", "well"):
        for number in range(2):
            who = {"PatientID": f"{label}{number}"}
            write_dicom(toy.root / label / f"{number}.dcm", pixels + 7 * number, **who)
    whole = (toy.root / "ill/0.dcm").read_bytes()
    (toy.root / "ill/cut.dcm").write_bytes(whole[:-50])
    (toy.root / "ill/header.dcm").write_bytes(whole[:300])
    (toy.root / "well/text.dcm").write_text("no image")
    (toy.root / "well/empty.dcm").touch()
    return toy


def test_all_faults_of_a_dicom_tree_are_told_at_once(mixed) -> None:
    with pytest.raises(InputError, match="4 of 8 images: cannot be used") as refusal:
        read_manifest(mixed.data(patients={"dicom": "PatientID"}))
    for name in ("ill/cut.dcm", "ill/header.dcm", "well/text.dcm", "well/empty.dcm"):
        assert f"{name}: " in str(refusal.value)


def test_a_dicom_tree_without_its_faults_is_whole(mixed) -> None:
    data = mixed.data(patients={"dicom": "PatientID"}, on_error="skip")
    manifest = read_manifest(data)
    assert manifest.table["sample_id"].tolist() == [
        "ill/0.dcm",
        "ill/1.dcm",
        "well/0.dcm",
        "well/1.dcm",
    ]
    assert manifest.table["patient"].nunique() == 4
    assert not manifest.table["patient"].str.contains("unreadable").any()


def test_slices_with_nan_can_be_left_out(toy) -> None:
    for label in ("ill", "well"):
        voxels = np.random.default_rng(0).random((5, 5, 4)).astype(np.float32)
        voxels[0, 0, 1] = np.nan
        write_nifti(toy.root / label / "v.nii", voxels)
    manifest = read_manifest(toy.data(on_error="skip"))
    assert manifest.table["sample_id"].tolist() == [
        f"{label}/v.nii::axial/{number}" for label in ("ill", "well") for number in (0, 2, 3)
    ]
