from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymed.data.intake.sources import SourceKind, kind_of_source
from raymed.errors import InputError


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("table.csv", SourceKind.MANIFEST),
        ("table.TSV", SourceKind.MANIFEST),
        ("table.xlsx", SourceKind.MANIFEST),
        ("shard.tar", SourceKind.WEBDATASET),
        ("medmnist.npz", SourceKind.NPZ),
    ],
)
def test_a_file_is_known_by_its_suffix(tmp_path: Path, name: str, kind: SourceKind) -> None:
    (tmp_path / name).touch()

    assert kind_of_source(tmp_path / name) is kind


@pytest.mark.parametrize(
    ("images", "kind"),
    [
        (["a.png"], SourceKind.MANIFEST),
        ([b"bytes"], SourceKind.PARQUET_IMAGES),
        ([{"bytes": b"bytes", "path": None}], SourceKind.PARQUET_IMAGES),
    ],
)
def test_a_parquet_file_is_known_by_its_image_column(
    tmp_path: Path, images: list[object], kind: SourceKind
) -> None:
    pq.write_table(pa.table({"image": images, "note": ["x"]}), tmp_path / "a.parquet")

    assert kind_of_source(tmp_path / "a.parquet") is kind
    assert kind_of_source(tmp_path / "a.parquet", "note") is SourceKind.MANIFEST


@pytest.mark.parametrize("layout", ["{}", "data/{}", "train/{}"])
def test_a_folder_of_shards_is_known_by_what_lies_in_it(tmp_path: Path, layout: str) -> None:
    for suffix, kind in (("tar", SourceKind.WEBDATASET), ("parquet", SourceKind.PARQUET_IMAGES)):
        path = tmp_path / suffix / layout.format(f"train-0.{suffix}")
        path.parent.mkdir(parents=True)
        path.touch()
        assert kind_of_source(tmp_path / suffix) is kind


def test_class_folders_stay_class_folders_beside_a_table_or_a_tar(tmp_path: Path) -> None:
    for name in ("ill/a.png", "well/b.png", "labels.parquet", "backup.tar"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    assert kind_of_source(tmp_path) is SourceKind.CLASS_FOLDERS


def test_a_packed_tar_is_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "scans.tar.gz").touch()

    with pytest.raises(InputError, match=r"scans\.tar\.gz is packed; unpack it \(gunzip keeps"):
        kind_of_source(tmp_path / "scans.tar.gz")


def test_a_folder_holds_class_folders(tmp_path: Path) -> None:
    assert kind_of_source(tmp_path) is SourceKind.CLASS_FOLDERS


def test_a_source_of_no_known_kind_is_named(tmp_path: Path) -> None:
    (tmp_path / "scans.rar").touch()

    with pytest.raises(InputError, match=r"cannot tell what scans\.rar is"):
        kind_of_source(tmp_path / "scans.rar")
