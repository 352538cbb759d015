"""Patients are read in exactly one way; folds and classes make sense."""

from pathlib import Path

import pytest

from raymed.config import Cluster, DataConfig, Patients
from raymed.errors import InputError


@pytest.mark.parametrize(
    "patients",
    [
        {"column": "who"},
        {"file": "who.csv", "column": "who"},
        {"file": "who.csv", "column": "who", "key": "image"},
        {"pattern": r"(p\d+)"},
    ],
)
def test_each_single_way_to_patients_is_accepted(patients) -> None:
    assert DataConfig(source="scans", patients=patients).patients.known


@pytest.mark.parametrize(
    "patients",
    [
        {},
        {"column": "who", "pattern": "(p)"},
        {"file": "who.csv"},
        {"file": "who.csv", "pattern": "(p)"},
        {"key": "image"},
        {"known": False, "column": "who"},
    ],
)
def test_no_way_or_two_ways_to_patients_are_refused(patients) -> None:
    with pytest.raises(ValueError, match=r"one way|needs the column"):
        DataConfig(source="scans", patients=patients)


def test_patients_none_says_that_they_are_unknown() -> None:
    assert DataConfig(source="scans", patients="none").patients == Patients(known=False)


def test_patients_left_out_are_neither_none_nor_known() -> None:
    assert DataConfig(source="scans").patients is None


def test_a_plain_number_of_folds_is_their_count(read) -> None:
    assert read("data.folds=3").data.folds.count == 3
    assert read("data.folds={count: 4}").data.folds.count == 4
    assert read().data.folds.count == 5


def test_a_file_of_folds_needs_its_column(read) -> None:
    with pytest.raises(InputError, match=r"data\.folds: a file needs the column"):
        read("data.folds={file: folds.csv}")


@pytest.mark.parametrize("classes", ["[a]", "[]", "[a, b, a]", "[1, 2]"])
def test_classes_that_do_not_name_two_different_things_are_refused(read, classes: str) -> None:
    with pytest.raises(InputError, match=r"data\.classes"):
        read(f"data.classes={classes}")


@pytest.mark.parametrize("share", [0, 0.9, 1, -0.1])
def test_a_test_share_outside_its_range_is_refused(read, share: float) -> None:
    with pytest.raises(InputError, match=r"data\.test\.share"):
        read(f"data.test.share={share}")


def test_workers_auto_means_no_number() -> None:
    assert Cluster(workers="auto").workers is None
    assert Cluster(workers=3).workers == 3


def test_the_cache_lies_where_it_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/someone")
    monkeypatch.delenv("RAYMED_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert Cluster().cache_folder == Path("/home/someone/.cache/raymed")
    monkeypatch.setenv("XDG_CACHE_HOME", "/xdg")
    assert Cluster().cache_folder == Path("/xdg/raymed")
    monkeypatch.setenv("RAYMED_CACHE", "/scratch")
    assert Cluster().cache_folder == Path("/scratch")
    assert Cluster(cache="/mine").cache_folder == Path("/mine")
