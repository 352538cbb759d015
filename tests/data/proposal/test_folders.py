"""Folders as sources: what is proposed is what intake then reads."""

from collections.abc import Callable
from pathlib import Path

import pytest

from raymed.data.proposal import propose
from raymed.errors import InputError

Write = Callable[..., Path]


def test_class_folders_are_read_as_they_lie(layout: Write) -> None:
    found = propose(layout("{label}/{patient}-{image}.png"))

    assert found.manifest is None
    assert found.order.classes == ("none", "mild", "severe")
    assert (found.order.ordinal, found.patients, found.notes) == (True, None, ())


def test_lone_folders_are_gone_through(layout: Write) -> None:
    source = layout("images/all/{label}/{patient}-{image}.png")

    assert propose(source).source == source / "images" / "all"


@pytest.mark.parametrize(
    "form", ["{label}/P{patient}/{image}.png", "{label}/{patient:04}/{image}.png"]
)
def test_folders_below_classes_are_patients(layout: Write, form: str) -> None:
    found = propose(layout(form))

    assert found.patients is not None
    assert found.patients.setting == {"pattern": "^[^/]+/([^/]+)/"}
    assert "12 patients" in found.patients.why


def test_numbers_that_start_again_in_each_class_are_said(write: Write) -> None:
    names = [f"{label}/{who}/{image}.png" for label in "ab" for who in (1, 2) for image in (1, 2)]

    found = propose(write(*names))

    assert found.patients is not None
    assert "2 names stand in another class too" in found.patients.why


def test_folders_of_patients_become_a_manifest(layout: Write) -> None:
    found = propose(layout("patient{patient}/{label}/{image}.png"))

    assert found.manifest is not None
    assert list(found.manifest.columns) == ["image", "label", "patient"]
    assert found.manifest["patient"].nunique() == 12
    assert found.manifest["label"].value_counts().to_dict() == {
        "mild": 12,
        "none": 12,
        "severe": 12,
    }
    assert found.patients is not None
    assert found.patients.setting == {"column": "patient"}
    assert (found.source / found.manifest["image"][0]).is_file()
    assert found.settings == {"root": found.source}


def test_folders_of_splits_become_the_manifests_split(layout: Write, write: Write) -> None:
    layout("Train/{label}/{patient}_{image}.png")
    found = propose(write("Test/mild/x.png", "Test/none/y.png", "Test/severe/z.png"))

    assert found.manifest is not None
    assert found.manifest["split"].value_counts().to_dict() == {"train": 36, "test": 3}


def test_folders_without_an_image_are_left_out_and_said(layout: Write) -> None:
    source = layout("{label}/{patient}-{image}.png")
    (source / "notes").mkdir()

    found = propose(source)

    assert found.manifest is not None
    assert len(found.manifest) == 36
    assert found.notes == ("folders without an image are left out: notes",)


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        ([], "it is empty"),
        (["a/1.png", "a/2.png"], "one class only: a"),
        (["1.png", "2.png"], "nothing tells the labels"),
        (["images/1.png", "images/2.png"], "nothing tells the labels"),
        (["P1/1.png", "P2/1.png"], "look like patients"),
    ],
)
def test_what_tells_no_labels_is_refused(
    write: Write, tmp_path: Path, names: list[str], fault: str
) -> None:
    (tmp_path / "set").mkdir()
    write(*names)

    with pytest.raises(InputError, match=fault):
        propose(tmp_path / "set")


def test_other_files_alone_are_named(tmp_path: Path) -> None:
    (tmp_path / "notes.docx").touch()

    with pytest.raises(InputError, match=r"no image lies in this folder: it holds notes.docx"):
        propose(tmp_path)


def test_what_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        propose(tmp_path / "nowhere")


def test_alzheimer_classes_are_ordered_and_nobody_is_known(shared_data: Path) -> None:
    found = propose(shared_data / "alzheimer" / "images")

    stages = ("Non_Demented", "Very_Mild_Demented", "Mild_Demented", "Moderate_Demented")
    assert (found.order.classes, found.order.ordinal, found.order.well) == (stages, True, stages[0])
    assert (found.patients, found.manifest) == (None, None)


def test_the_table_beside_the_alzheimer_images_tells_the_people(shared_data: Path) -> None:
    found = propose(shared_data / "alzheimer")

    assert found.source == (shared_data / "alzheimer" / "subjects_recovered.csv").resolve()
    assert found.patients is not None
    assert found.patients.setting == {"column": "subject"}
    assert found.settings["root"] == (shared_data / "alzheimer" / "images").resolve()
