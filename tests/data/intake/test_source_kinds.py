from pathlib import Path

import pytest

from raymed.data.intake.sources import SourceKind, kind_of_source
from raymed.errors import InputError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("table.csv", SourceKind.MANIFEST),
        ("table.TSV", SourceKind.MANIFEST),
        ("table.xlsx", SourceKind.MANIFEST),
        ("table.parquet", SourceKind.MANIFEST),
        ("medmnist.npz", SourceKind.NPZ),
    ],
)
def test_a_file_is_known_by_its_suffix(tmp_path: Path, name: str, kind: SourceKind) -> None:
    (tmp_path / name).touch()

    assert kind_of_source(tmp_path / name) is kind


def test_a_folder_holds_class_folders(tmp_path: Path) -> None:
    assert kind_of_source(tmp_path) is SourceKind.CLASS_FOLDERS


def test_a_source_of_no_known_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "scans.rar").touch()

    with pytest.raises(InputError, match=r"cannot tell what scans\.rar is"):
        kind_of_source(tmp_path / "scans.rar")
