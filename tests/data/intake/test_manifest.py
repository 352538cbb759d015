"""A manifest survives its file, and its hash is that of its content."""

import shutil
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from raymed.data import Manifest, read_manifest


@pytest.fixture
def manifest(scans) -> Manifest:
    return read_manifest(scans.data(patients={"pattern": "(p.)_"}))


def test_a_written_manifest_reads_back_the_same(manifest: Manifest, tmp_path: Path) -> None:
    manifest.write(tmp_path / "manifest.parquet")
    again = Manifest.read(tmp_path / "manifest.parquet")
    pd.testing.assert_frame_equal(again.table, manifest.table)
    assert again.classes == manifest.classes
    assert (again.patients_declared, again.channels) == (True, 1)
    assert (again.content, again.images) == (manifest.content, manifest.images)


def test_a_manifest_of_unknown_patients_stays_so(scans, tmp_path: Path) -> None:
    scans.image("ill/stained.png", "RGB")
    read_manifest(scans.data()).write(tmp_path / "manifest.parquet")
    again = Manifest.read(tmp_path / "manifest.parquet")
    assert (again.patients_declared, again.channels) == (False, 3)


def test_content_does_not_depend_on_where_the_files_lie(scans, manifest, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    for label in ("ill", "well"):
        shutil.copytree(scans.root / label, elsewhere / label)
    moved = read_manifest(scans.data("elsewhere", patients={"pattern": "(p.)_"}))
    assert moved.content == manifest.content
    assert moved.images == manifest.images


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("sample_id", "other"),
        ("label", 1),
        ("patient", "p9"),
        ("split", "test"),
        ("checksum", "0" * 64),
    ],
)
def test_content_changes_with_each_column_that_matters(manifest, column: str, value) -> None:
    table = manifest.table.copy()
    table[column] = [value, *table[column].tolist()[1:]]
    assert replace(manifest, table=table).content != manifest.content


def test_content_changes_with_the_order_of_classes(manifest: Manifest) -> None:
    assert replace(manifest, classes=("well", "ill")).content != manifest.content


def test_content_changes_with_pixels(scans, manifest: Manifest) -> None:
    scans.image("ill/p1_0.png", size=(6, 7))
    again = read_manifest(scans.data(patients={"pattern": "(p.)_"}))
    assert again.content != manifest.content
    assert again.images != manifest.images


def test_labels_and_patients_are_no_part_of_the_images_hash(scans, manifest: Manifest) -> None:
    other = read_manifest(scans.data(classes=("well", "ill")))
    assert other.content != manifest.content
    assert other.images == manifest.images
