"""What an external test set shares with a run is found by patient and by checksum."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from raymed.config import DataConfig
from raymed.data import Manifest
from raymed.data.intake.external import Overlap, list_external
from raymed.errors import InputError


def _manifest(patients: str, split: str = "", images: str = "", declared: bool = True) -> Manifest:
    """A sample a letter: its patient, `t` where it is of the test split, its image's checksum."""
    table = pd.DataFrame(
        {
            "sample_id": [f"s{place}" for place in range(len(patients))],
            "patient": list(patients),
            "split": ["test" if each == "t" else "train" for each in split.ljust(len(patients))],
            "checksum": list(images or patients.upper()),
        }
    )
    return Manifest(table, ("well", "ill"), declared, 1)


def test_patients_and_images_are_looked_for_on_both_sides_of_the_run() -> None:
    run = _manifest("aabbc", split="    t", images="12345")

    found = Overlap.of(_manifest("xcbb", split="tttt", images="3579"), run)

    assert found == Overlap(trained=("b",), tested=("c",), images=("s0",), unknown=())


def test_images_of_the_test_split_are_no_images_of_training() -> None:
    run = _manifest("ab", split=" t", images="12")

    assert Overlap.of(_manifest("xy", images="23"), run).shared() == ()


def test_patients_are_not_compared_where_one_side_does_not_know_them() -> None:
    run = _manifest("ab", declared=False)

    found = Overlap.of(_manifest("ab", images="34"), run)

    assert found.shared() == ()
    assert found.doubts == (
        "Patients of the run are not declared: shared ones were not looked for.",
    )


def test_nothing_shared_is_not_refused_and_all_that_is_shared_is_named() -> None:
    run = _manifest("ab", split=" t", images="12")
    Overlap.of(_manifest("x", images="9"), run).refuse("set.csv")

    with pytest.raises(InputError, match=r"set.csv: shares 1 patients of training \(a\) and 1 pat"):
        Overlap.of(_manifest("ab", images="89"), run).refuse("set.csv")


def test_doubts_count_and_name_nobody() -> None:
    """They stand in the report, which is shared."""
    found = Overlap.of(_manifest("ax", images="89"), _manifest("ab", images="12"))

    assert found.trained == ("a",)
    assert found.doubts == ("Not independent: it shares 1 patients of training.",)


def test_an_npz_of_test_arrays_alone_is_an_external_set(tmp_path: Path) -> None:
    file = tmp_path / "test.npz"
    np.savez(file, test_images=np.zeros((3, 5, 5), np.uint8), test_labels=np.array([1, 0, 1]))
    data = DataConfig.model_validate(
        {"source": file, "patients": "none", "classes": ["well", "ill"]}
    )

    listing = list_external(data)

    assert listing.table["label"].tolist() == [1, 0, 1]  # label 0 is the first of the run's classes
    assert (listing.table["split"] == "test").all()


def test_every_sample_is_test_whatever_its_split_and_a_class_may_be_absent(tmp_path: Path) -> None:
    file = tmp_path / "set.csv"
    file.write_text("image,label,patient,split\na.png,ill,p,train\nb.png,ill,p,test\n")
    data = DataConfig.model_validate(
        {"source": file, "patients": {"column": "patient"}, "classes": ["well", "ill"]}
    )

    listing = list_external(data)

    assert listing.classes == ("well", "ill")
    assert (listing.table["split"] == "test").all()
    assert (listing.table["label"] == 1).all()
