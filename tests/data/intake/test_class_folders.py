"""A folder of class folders becomes a manifest."""

import pytest

from raymed.data import list_samples, read_manifest
from raymed.errors import InputError


def test_the_folder_is_the_class_and_the_path_is_the_sample(scans) -> None:
    manifest = read_manifest(scans.data())
    assert manifest.classes == ("ill", "well")
    assert manifest.table["sample_id"].tolist() == sorted(
        f"{label}/{patient}_{number}.png"
        for label, patients in {"ill": ("p1", "p2"), "well": ("p3", "p4")}.items()
        for patient in patients
        for number in (0, 1)
    )
    assert manifest.labels.tolist() == [0, 0, 0, 0, 1, 1, 1, 1]
    assert not manifest.is_test.any()
    assert set(manifest.table["site"]) == {""}


def test_images_deeper_down_belong_to_the_class_folder(toy) -> None:
    toy.images("a/x/1.png", "a/y/z/2.JPG", "b/3.png")
    assert list_samples(toy.data()).table["sample_id"].tolist() == [
        "a/x/1.png",
        "a/y/z/2.JPG",
        "b/3.png",
    ]


def test_hidden_files_and_other_files_are_no_samples(scans) -> None:
    scans.images(".cache/1.png", "ill/.thumb.png", "ill/.hidden/1.png")
    scans.text("notes.txt", "x")
    scans.text("ill/notes.txt", "x")
    assert len(list_samples(scans.data()).table) == 8


def test_an_empty_class_folder_is_refused_by_name(scans) -> None:
    (scans.root / "unsure").mkdir()
    with pytest.raises(InputError, match="unsure: the class folder holds no image"):
        list_samples(scans.data())


def test_a_folder_without_class_folders_is_refused(toy) -> None:
    toy.images("1.png", "2.png")
    with pytest.raises(InputError, match="holds no class folders"):
        list_samples(toy.data())


def test_split_folders_are_not_mistaken_for_classes(toy) -> None:
    toy.images("train/a/1.png", "train/b/2.png", "Test/a/3.png")
    with pytest.raises(InputError, match="its folders are splits, not classes: Test, train"):
        list_samples(toy.data())


def test_one_class_is_refused(toy) -> None:
    toy.images("a/1.png", "a/2.png")
    with pytest.raises(InputError, match="holds one class only"):
        list_samples(toy.data())


@pytest.mark.parametrize("name", ["gone", "gone.csv", "gone.npz"])
def test_a_source_that_is_not_there_is_refused(toy, name: str) -> None:
    with pytest.raises(InputError, match=r"data\.source: no such file or folder: .*gone"):
        list_samples(toy.data(name))


def test_a_source_of_another_kind_is_refused(toy) -> None:
    toy.text("scans.docx", "x")
    with pytest.raises(InputError, match=r"cannot tell what scans\.docx is; give a folder"):
        list_samples(toy.data("scans.docx"))


def test_classes_are_in_natural_order(toy) -> None:
    toy.images("stage 10/1.png", "stage 2/1.png", "stage 1/1.png", "²/1.png")
    assert list_samples(toy.data()).classes == ("stage 1", "stage 2", "stage 10", "²")


def test_declared_classes_keep_their_order(scans) -> None:
    listing = list_samples(scans.data(classes=("well", "ill")))
    assert listing.classes == ("well", "ill")
    assert listing.table["label"].tolist() == [1, 1, 1, 1, 0, 0, 0, 0]


def test_labels_outside_the_declared_classes_are_refused_with_a_suggestion(scans) -> None:
    with pytest.raises(InputError, match=r"4 samples have labels outside data\.classes: well"):
        list_samples(scans.data(classes=("ill", "dead")))
    with pytest.raises(InputError, match="did you mean 'wells'"):
        list_samples(scans.data(classes=("ill", "wells")))


def test_a_declared_class_without_a_sample_is_refused(scans) -> None:
    with pytest.raises(InputError, match="no sample has the class dead"):
        list_samples(scans.data(classes=("ill", "well", "dead")))
