"""Images in the rows of Parquet files, as Hugging Face's datasets write them."""

import hashlib
import io
import json
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from raymed.config import AS_FILES_SAY
from raymed.data import list_samples, read_manifest
from raymed.data.images import inspect_images
from raymed.data.pixels import open_file
from raymed.data.pixels.parquet import ParquetImages
from raymed.errors import InputError
from tests.data.pixels.scans import write_dicom

NAMES = ["no_finding", "mass"]


def png(seed: int, size: int = 6) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (size, size), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def features(names: list[str] | None, image: str = "image") -> dict[bytes, bytes]:
    """The metadata that `datasets` 2 to 4 write into a schema."""
    label = {"dtype": "int64", "_type": "Value"}
    if names is not None:
        label = {"names": names, "_type": "ClassLabel"}  # type: ignore[dict-item]
    told = {"info": {"features": {image: {"_type": "Image"}, "label": label}}}
    return {b"huggingface": json.dumps(told).encode()}


def write_rows(
    path: Path,
    images: list[Any],
    labels: list[Any],
    names: list[str] | None = NAMES,
    group: int = 100,
    **columns: list[Any],
) -> Path:
    """Write images, bytes or structs, a row group for every `group` of them."""
    table = pa.table({"image": images, "label": labels, **columns})
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table.replace_schema_metadata(features(names)), path, row_group_size=group)
    return path


def structs(count: int, first: int = 0, named: bool = True) -> list[dict[str, Any]]:
    return [
        {"bytes": png(n), "path": f"p{n // 2}_{n % 2}.png" if named else None}
        for n in range(first, first + count)
    ]


def test_rows_are_samples_and_the_names_of_classes_are_those_of_the_schema(toy) -> None:
    path = write_rows(toy.root / "a.parquet", structs(12), [0, 1] * 6, group=5)
    manifest = read_manifest(toy.data("a.parquet", patients={"pattern": r"^(p\d)_"}))
    table = manifest.table
    assert manifest.classes == ("mass", "no_finding")
    assert table["label"].tolist() == [1, 0] * 6
    assert table["sample_id"].tolist() == [f"a/{row:02}" for row in range(12)]
    assert table["image"].tolist() == [f"{path}::{row:02}" for row in range(12)]
    assert table["patient"].tolist() == [f"p{n // 2}" for n in range(12)]
    assert table["checksum"].tolist() == [hashlib.sha256(png(n)).hexdigest() for n in range(12)]


def test_rows_have_the_checksums_and_pixels_of_the_same_files_in_folders(toy, scans) -> None:
    folder = read_manifest(scans.data())
    paths = [Path(path) for path in folder.table["image"]]
    images = [{"bytes": path.read_bytes(), "path": path.name} for path in paths]
    write_rows(toy.root / "set.parquet", images, [path.parent.name for path in paths], None)
    rows = read_manifest(toy.data("set.parquet"))
    assert rows.table[["label", "checksum"]].equals(folder.table[["label", "checksum"]])


@pytest.mark.parametrize("layout", ["{}", "data/{}"])
def test_files_of_several_splits_are_one_set(toy, layout: str) -> None:
    for number, split in enumerate(("train", "train", "validation", "test")):
        name = f"{split}-{number % 2 * (split == 'train'):05}-of-{1 + (split == 'train'):05}"
        place = toy.root / "set" / layout.format(f"{name}.parquet")
        write_rows(place, structs(4, 4 * number, named=False), [0, 1, 0, 1])
    (toy.root / "set/.git/x").mkdir(parents=True)
    (toy.root / "set/README.md").write_text("---")
    table = read_manifest(toy.data("set")).table
    assert table["split"].tolist() == ["test"] * 4 + ["train"] * 12
    assert table["sample_id"][0] == "test-00000-of-00001/0"
    assert table["checksum"].nunique() == 16


def test_a_set_of_one_split_is_for_training_whatever_it_is_called(toy) -> None:
    write_rows(toy.root / "test-00000-of-00001.parquet", structs(4), [0, 1, 0, 1])
    assert set(list_samples(toy.data("test-00000-of-00001.parquet")).table["split"]) == {"train"}


def test_columns_beside_the_image_are_kept_as_text(toy) -> None:
    more = {"subject": [7, 7, None, 8], "site": ["n", "n", "s", "s"], "mask": [b"x"] * 4}
    write_rows(toy.root / "a.parquet", structs(4), [0, 1, 0, 1], **more)
    table = list_samples(toy.data("a.parquet", patients={"column": "site"})).table
    assert table["subject"].tolist() == ["7", "7", "", "8"]
    assert table["site"].tolist() == ["n", "n", "s", "s"]
    assert "mask" not in table.columns


def test_plain_bytes_in_a_column_of_another_name_are_images_too(toy) -> None:
    table = pa.table({"xray": [png(n) for n in range(4)], "finding": ["a", "b", "a", "b"]})
    pq.write_table(table, toy.root / "a.parquet")
    data = toy.data("a.parquet", image_column="xray", label_column="finding")
    manifest = read_manifest(data)
    assert manifest.table["image"][3] == f"{toy.root}/a.parquet::xray/3"
    assert manifest.table["checksum"][3] == hashlib.sha256(png(3)).hexdigest()


def test_the_split_column_comes_before_the_names_of_files(toy) -> None:
    for split in ("train", "test"):
        write_rows(toy.root / f"set/{split}.parquet", structs(2), [0, 1], split=["test", ""])
    table = list_samples(toy.data("set")).table
    assert table["split"].tolist() == ["test", "test", "test", "train"]


def test_dicom_in_a_row_is_as_many_samples_as_it_has_frames(toy) -> None:
    pixels = np.random.default_rng(0).integers(0, 4096, (3, 8, 8), dtype=np.uint16)
    scan = write_dicom(toy.root / "a.dcm", pixels)
    write_rows(toy.root / "a.parquet", [scan.read_bytes(), png(0)], [0, 1])
    manifest = read_manifest(toy.data("a.parquet"))
    assert manifest.table["sample_id"].tolist() == ["a/0::0", "a/0::1", "a/0::2", "a/1"]
    outside = [each.checksum for each in inspect_images([f"{scan}::{n}" for n in range(3)])]
    assert manifest.table["checksum"].tolist()[:3] == outside


@pytest.mark.parametrize("group", [7, 64, 300])
def test_rows_are_read_in_any_order_and_by_threads(toy, group: int) -> None:
    rows = [png(n) for n in range(300)]
    path = write_rows(toy.root / "a.parquet", rows, [0, 1] * 150, group=group)
    order = [*range(300), *random.Random(0).sample(range(300), 40)]
    file = open_file(str(path))
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda row: file.read(f"{row}", AS_FILES_SAY), order))
    file.close()
    assert [f.identity for f in found] == [hashlib.sha256(rows[r]).hexdigest() for r in order]


def test_going_forwards_reads_no_row_twice_and_holds_few(toy, monkeypatch) -> None:
    path = write_rows(toy.root / "a.parquet", [png(n) for n in range(1200)], [0] * 1200, group=1200)
    batches = []
    real = pq.ParquetFile.iter_batches

    def counted(self, size: int, **options: Any):
        for batch in real(self, size, **options):
            batches.append(batch.num_rows)
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    found = list(inspect_images([f"{path}::{row:04}" for row in range(1200)]))
    assert all(each.fault is None for each in found)
    assert sum(batches) == 1200
    assert max(batches) <= 32


def test_memory_stays_small_in_a_file_of_one_large_row_group(toy) -> None:
    noise = np.random.default_rng(0).bytes
    rows = [b"\xff" + noise(2**15) for _ in range(6000)]
    path = write_rows(toy.root / "a.parquet", rows, [0] * 6000, group=6000)
    file, before = ParquetImages(str(path)), pa.total_allocated_bytes()
    most = 0
    for row in range(0, 6000, 16):
        with pytest.raises(InputError, match="no image that can be read"):
            file.read(str(row), AS_FILES_SAY)
        most = max(most, pa.total_allocated_bytes() - before)
    assert most < sum(map(len, rows)) / 2


@pytest.mark.parametrize(
    ("images", "labels", "fault"),
    [
        ([png(0), png(1)], [0, None], r"a\.parquet: 1 images without a label: .*a\.parquet::1"),
        ([png(0), png(1)], [0, -1], r"a\.parquet: 1 images without a label: .*a\.parquet::1"),
        ([png(0), png(1)], [0, 2], r"column 'label': row 1 has the class 2, and 2 have names"),
        ([png(0), png(1)], [[0], [1]], r"its column 'label' holds list<.*one label a row"),
    ],
)
def test_labels_that_are_none_are_refused_by_row(toy, images, labels, fault: str) -> None:
    write_rows(toy.root / "a.parquet", images, labels)
    with pytest.raises(InputError, match=fault):
        list_samples(toy.data("a.parquet"))


def test_a_missing_label_column_is_named_with_those_there_are(toy) -> None:
    pq.write_table(pa.table({"image": [png(0)], "labels": [0]}), toy.root / "a.parquet")
    with pytest.raises(InputError, match=r"has no column 'label'; did you mean 'labels'"):
        list_samples(toy.data("a.parquet"))


def test_rows_without_bytes_are_named_and_may_be_left_out(toy) -> None:
    rows = [*structs(4), {"bytes": None, "path": "gone.png"}, None, {"bytes": b"", "path": "x.png"}]
    write_rows(toy.root / "a.parquet", rows, [0, 1, 0, 1, 0, 1, 0])
    with pytest.raises(InputError) as refused:
        read_manifest(toy.data("a.parquet"))
    for told in (
        "3 of 7 images",
        "a.parquet::4: holds no bytes, only the path gone.png (",
        "a.parquet::5: holds no bytes (",
        "a.parquet::6: the file is empty (0 bytes)",
    ):
        assert told in str(refused.value)
    assert len(read_manifest(toy.data("a.parquet", on_error="skip")).table) == 4


def test_a_missing_file_of_several_is_named(toy) -> None:
    for number in (0, 2):
        write_rows(toy.root / f"set/train-{number:05}-of-00004.parquet", structs(2), [0, 1])
    with pytest.raises(InputError, match=r"-\*-of-00004: 2 of 4 files are missing: numbers 1, 3"):
        list_samples(toy.data("set"))
    assert len(list_samples(toy.data("set/train-*.parquet")).images) == 4


def test_files_of_which_only_some_name_their_classes_are_refused(toy) -> None:
    for number, names in enumerate((NAMES, None)):
        write_rows(toy.root / f"set/{number}.parquet", structs(2), [0, 1], names)
    with pytest.raises(InputError, match=r"only some of its files name .* again: 1\.parquet"):
        list_samples(toy.data("set"))


def test_broken_metadata_and_broken_files_are_refused(toy) -> None:
    path = write_rows(toy.root / "set/a.parquet", structs(2), [0, 1])
    table = pq.read_table(path)
    pq.write_table(table.replace_schema_metadata({"huggingface": "{"}), path)
    with pytest.raises(InputError, match=r"a\.parquet: its metadata 'huggingface' does not tell"):
        list_samples(toy.data("set"))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(InputError, match=r"a\.parquet: cannot be read as a table in Parquet"):
        list_samples(toy.data("set"))


def test_a_folder_of_tables_without_images_is_refused_by_the_kind_of_its_column(toy) -> None:
    (toy.root / "set").mkdir()
    pq.write_table(pa.table({"image": ["a.png"], "label": [0]}), toy.root / "set/m.parquet")
    with pytest.raises(InputError, match=r"its column 'image' holds string, not image files; name"):
        list_samples(toy.data("set"))


def test_tar_and_parquet_in_one_folder_are_refused(toy) -> None:
    write_rows(toy.root / "set/a.parquet", structs(2), [0, 1])
    (toy.root / "set/b.tar").touch()
    with pytest.raises(InputError, match=r"both tar and Parquet files: b\.tar, a\.parquet"):
        list_samples(toy.data("set"))
