"""Tars and Parquet with images, as sources: what is proposed is what intake then reads."""

import json
from pathlib import Path

import pytest

from raymed.config import DataConfig
from raymed.data import list_samples
from raymed.data.proposal import Proposal, propose
from raymed.errors import InputError
from tests.data.intake.test_parquet_images import png, structs, write_rows
from tests.data.intake.test_webdataset import patients, write_tar


def listed(found: Proposal) -> tuple[tuple[str, ...], int]:
    """Let intake list what is proposed; returns the classes and the number of patients."""
    assert found.patients is not None
    settings = {**found.settings, "patients": dict(found.patients.setting)}
    data = DataConfig(source=found.source, classes=found.order.classes, **settings)
    listing = list_samples(data)
    return listing.classes, listing.table["patient"].nunique()


def test_a_tar_tells_labels_and_patients(tmp_path: Path) -> None:
    found = propose(write_tar(tmp_path / "set.tar", patients()))

    assert found.kind == "WebDataset tar"
    assert found.settings == {}
    assert listed(found) == (("ill", "well"), 4)


def test_a_field_of_another_name_holds_the_labels(tmp_path: Path) -> None:
    members: dict[str, bytes | str] = {}
    for number in range(6):
        members[f"{number}.png"] = png(number)
        fields = {"grade": number % 3, "patient": f"q{number // 2}"}
        members[f"{number}.json"] = json.dumps(fields)

    found = propose(write_tar(tmp_path / "set.tar", members))

    assert found.settings == {"label_column": "grade"}
    assert (found.order.ordinal, listed(found)) == (True, (("0", "1", "2"), 3))


def test_numbers_beside_images_only_stand_for_classes(tmp_path: Path) -> None:
    members = {
        f"sub-{n}.{kind}": png(n) if kind == "png" else str(n % 3)
        for n in range(6)
        for kind in ("png", "cls")
    }

    found = propose(write_tar(tmp_path / "set.tar", members))

    assert not found.order.ordinal
    assert listed(found) == (("0", "1", "2"), 6)


@pytest.mark.parametrize("inside", [".", "train-00000-of-00001.parquet"])
def test_rows_of_parquet_name_classes_and_patients(tmp_path: Path, inside: str) -> None:
    write_rows(tmp_path / "train-00000-of-00001.parquet", structs(12), [0, 1] * 6)

    found = propose(tmp_path / inside)

    assert found.kind == "Parquet with images"
    assert found.order.classes == ("no_finding", "mass")
    assert found.order.well == "no_finding"
    assert listed(found) == (("no_finding", "mass"), 6)  # the paths of images: p0_0.png


def test_a_patient_column_of_parquet_is_taken(tmp_path: Path) -> None:
    who = [f"s{number // 3}" for number in range(12)]
    path = write_rows(tmp_path / "a.parquet", structs(12, named=False), [0, 1] * 6, subject_id=who)

    found = propose(path)

    assert listed(found) == (("no_finding", "mass"), 4)


def test_a_tar_without_labels_is_refused(tmp_path: Path) -> None:
    path = write_tar(tmp_path / "set.tar", {"a.png": png(0), "a.json": json.dumps({"age": 4})})

    with pytest.raises(InputError, match="no column is known to hold the labels: age"):
        propose(path)


def test_a_table_in_parquet_is_a_manifest(tmp_path: Path) -> None:
    for number in range(4):
        (tmp_path / f"{number}.png").write_bytes(png(number))
    names = [f"{number}.png" for number in range(4)]
    path = write_rows(
        tmp_path / "a.parquet", names, ["x", "y"] * 2, names=None, patient=list("aabb")
    )

    found = propose(path)

    assert (found.kind, listed(found)) == ("a manifest", (("x", "y"), 2))
