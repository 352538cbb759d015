"""The two real sets, outside the repository, are read as what they are."""

from collections import Counter
from pathlib import Path

import pytest

from raymed.config import DataConfig
from raymed.data import list_samples, read_manifest

CLASSES = ("Non_Demented", "Very_Mild_Demented", "Mild_Demented", "Moderate_Demented")


def test_the_alzheimer_set_has_6400_slices_of_200_patients(shared_data: Path) -> None:
    folder = shared_data / "alzheimer"
    data = DataConfig(
        source=folder / "images",
        patients={"file": folder / "subjects_recovered.csv", "column": "subject", "key": "file"},
        classes=CLASSES,
    )
    listing = list_samples(data)
    assert len(listing.table) == 6400
    assert set(Counter(listing.table["patient"]).values()) == {32}
    of_class = listing.table.groupby("label")["patient"].nunique()
    assert of_class.tolist() == [100, 70, 28, 2]
    assert (listing.table.groupby("patient")["label"].nunique() == 1).all()


def test_pneumoniamnist_trains_on_5232_rows_and_tests_on_624(shared_data: Path) -> None:
    source = shared_data / "pneumoniamnist.npz"
    if not source.is_file():
        pytest.skip(f"no {source}")
    manifest = read_manifest(DataConfig(source=source, patients="none"))
    assert (int((~manifest.is_test).sum()), int(manifest.is_test.sum())) == (5232, 624)
    test = manifest.table[manifest.is_test]["label"].value_counts().to_dict()
    assert test == {0: 234, 1: 390}
    assert (manifest.channels, manifest.classes) == (1, ("0", "1"))
    copies = manifest.table["checksum"].value_counts()
    assert int((copies > 1).sum()) == 27
