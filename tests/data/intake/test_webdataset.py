"""Images are read out of tars where they lie, and are the same as in folders."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from raymed.config import AS_FILES_SAY
from raymed.data import decode_images, image_file, list_samples, open_array, read_manifest
from raymed.data.images import inspect_images
from raymed.data.pixels import open_file
from raymed.errors import InputError
from tests.data.pixels.scans import write_dicom, write_nifti


def png(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


def write_tar(path: Path, members: dict[str, bytes | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            content = content.encode() if isinstance(content, str) else content
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return path


def patients(count: int = 4) -> dict[str, bytes | str]:
    """Two slices a patient, labels as names in `.cls`, the patient in `.json`."""
    members: dict[str, bytes | str] = {}
    for number in range(count):
        for scan in range(2):
            key = f"p{number}_{scan}"
            members[f"{key}.png"] = png(2 * number + scan)
            members[f"{key}.cls"] = ["ill", "well"][number % 2]
            members[f"{key}.json"] = json.dumps({"subject": f"p{number}", "age": 40 + number})
    return members


def test_files_with_one_key_are_a_sample(toy) -> None:
    write_tar(toy.root / "set.tar", patients())
    table = read_manifest(toy.data("set.tar", patients={"column": "subject"})).table
    assert table["sample_id"].tolist() == [f"p{n}_{scan}" for n in range(4) for scan in range(2)]
    assert table["patient"].tolist() == [f"p{n}" for n in range(4) for _ in range(2)]
    assert table["label"].tolist() == [0, 0, 1, 1, 0, 0, 1, 1]
    assert table["image"][0] == f"{toy.root}/set.tar::p0_0.png"


def test_a_tar_of_a_folder_has_its_images_and_checksums(toy, scans) -> None:
    folder = read_manifest(scans.data(patients={"pattern": r"/(p\d)_"}))
    with tarfile.open(toy.root / "set.tar", "w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(toy.root.glob("*/*.png")):
            tar.add(path, f"./{path.relative_to(toy.root)}")
            label = path.parent.name.encode()
            entry = tarfile.TarInfo(f"./{path.relative_to(toy.root).with_suffix('.cls')}")
            entry.size = len(label)
            tar.addfile(entry, io.BytesIO(label))
    packed = read_manifest(toy.data("set.tar", patients={"pattern": r"/(p\d)_"}))
    columns = ["label", "patient", "checksum"]
    assert packed.table[columns].equals(folder.table[columns])
    decoded = []
    for manifest in (folder, packed):
        target = image_file(toy.root / "cache", manifest, 6)
        list(decode_images(manifest, 6, target))
        decoded.append(open_array(target).copy())
    assert np.array_equal(*decoded)


@pytest.mark.parametrize(
    "source", ["set", "set/train-{0..1}.tar", "set/*.tar", "set/train-{0,1}.tar"]
)
def test_shards_are_one_set(toy, source: str) -> None:
    members = list(patients().items())
    for shard in range(2):
        write_tar(toy.root / f"set/train-{shard}.tar", dict(members[12 * shard : 12 * shard + 12]))
    whole = write_tar(toy.root / "whole.tar", dict(members))
    found = read_manifest(toy.data(source))
    assert found.content == read_manifest(toy.data(whole.name)).content


def test_keys_that_shards_share_are_told_apart_by_the_shard(toy) -> None:
    for shard, seed in (("a", 0), ("b", 10)):
        members = {"0.png": png(seed), "0.cls": "0", "1.png": png(seed + 1), "1.cls": "1"}
        write_tar(toy.root / f"set/{shard}.tar", members)
    ids = read_manifest(toy.data("set")).table["sample_id"].tolist()
    assert ids == ["a.tar/0", "a.tar/1", "b.tar/0", "b.tar/1"]


@pytest.mark.parametrize("form", ["set/{split}-0.tar", "set/{split}/0.tar"])
def test_the_split_is_read_from_names_of_files_or_folders(toy, form: str) -> None:
    for seed, split in enumerate(("train", "val", "test")):
        members = {
            f"{split}{n}.{end}": what
            for n in range(2)
            for end, what in (("png", png(10 * seed + n)), ("cls", str(n)))
        }
        write_tar(toy.root / form.format(split=split), members)
    table = list_samples(toy.data("set")).table
    found = dict(zip(table["sample_id"], table["split"], strict=True))
    assert found == {
        f"{split}{n}": "test" if split == "test" else "train"
        for split in ("train", "val", "test")
        for n in range(2)
    }


def test_the_fields_of_json_are_columns_and_may_hold_label_site_and_split(toy) -> None:
    members: dict[str, bytes | str] = {}
    for number, split in enumerate(("train", "train", "test", "test")):
        fields = {"label": f"c{number % 2}", "site": "north", "split": split, "boxes": [1]}
        members |= {f"{number}.png": png(number), f"{number}.json": json.dumps(fields)}
    write_tar(toy.root / "set.tar", members)
    table = list_samples(toy.data("set.tar")).table
    assert table["label"].tolist() == [0, 1, 0, 1]
    assert set(table["site"]) == {"north"}
    assert table["split"].tolist() == ["train", "train", "test", "test"]
    assert "boxes" not in table.columns


def test_a_label_column_of_another_name_comes_before_cls(toy) -> None:
    members: dict[str, bytes | str] = {}
    for number in range(2):
        members[f"{number}.png"] = png(number)
        members[f"{number}.cls"] = "0"
        members[f"{number}.json"] = json.dumps({"finding": ["none", "mass"][number]})
    write_tar(toy.root / "set.tar", members)
    assert list_samples(toy.data("set.tar", label_column="finding")).classes == ("mass", "none")


def test_the_image_of_several_is_named_by_its_suffix(toy) -> None:
    members = {
        f"{number}.{end}": what
        for number in range(2)
        for end, what in (("scan.png", png(number)), ("mask.png", png(9)), ("cls", str(number)))
    }
    write_tar(toy.root / "set.tar", members)
    with pytest.raises(
        InputError, match=r"set\.tar::0: holds 2 images: scan\.png, mask\.png; name"
    ):
        list_samples(toy.data("set.tar"))
    images = list_samples(toy.data("set.tar", image_column="scan.png")).images
    assert [image.rpartition("::")[2] for image in images] == ["0.scan.png", "1.scan.png"]


def test_dicom_volumes_and_pages_in_a_tar_are_frames(toy) -> None:
    rng = np.random.default_rng(0)
    write_dicom(toy.root / "a.dcm", rng.integers(0, 4096, (3, 8, 8), dtype=np.uint16))
    for name in ("b.nii", "c.nii.gz"):
        write_nifti(toy.root / name, rng.integers(0, 4096, (4, 5, 6)).astype(np.int16))
    pages = [Image.fromarray(rng.integers(0, 256, (6, 6), dtype=np.uint8)) for _ in range(2)]
    pages[0].save(toy.root / "d.tif", save_all=True, append_images=pages[1:])
    names = ["a.dcm", "b.nii", "c.nii.gz", "d.tif"]
    members: dict[str, bytes | str] = {name: (toy.root / name).read_bytes() for name in names}
    members |= {f"{name[0]}.cls": ["ill", "well"][number % 2] for number, name in enumerate(names)}
    write_tar(toy.root / "set.tar", members)
    manifest = read_manifest(toy.data("set.tar"))
    table = manifest.table.set_index("sample_id")
    assert [f"a::{n}" for n in range(3)] == [name for name in table.index if name[0] == "a"]
    assert table.groupby(lambda name: name[0]).size().to_dict() == {"a": 3, "b": 6, "c": 6, "d": 2}
    assert table.loc["a::0", "site"] == "Magnets M1"
    loose = [
        image.replace(f"{toy.root}/set.tar::", f"{toy.root}/") for image in manifest.table["image"]
    ]
    outside = [found.checksum for found in inspect_images(loose)]
    assert outside == manifest.table["checksum"].tolist()


def test_threads_read_out_of_one_open_tar(toy) -> None:
    members: dict[str, bytes | str] = {f"{number}.png": png(number) for number in range(40)}
    file = open_file(str(write_tar(toy.root / "set.tar", members)))
    with ThreadPoolExecutor(8) as pool:
        frames = list(pool.map(lambda name: file.read(name, AS_FILES_SAY), list(members) * 5))
    file.close()
    for frame, content in zip(frames, list(members.values()) * 5, strict=True):
        expected = np.asarray(Image.open(io.BytesIO(content)))
        assert np.array_equal(np.asarray(frame.image), expected)


def test_a_tar_is_opened_once_however_many_images_it_holds(toy, monkeypatch) -> None:
    from raymed.data.pixels import tar

    members: dict[str, bytes | str] = {f"{number:03}.png": png(number) for number in range(600)}
    path = write_tar(toy.root / "set.tar", members)
    listed = []
    real = tar.tar_members
    monkeypatch.setattr(tar, "tar_members", lambda path: listed.append(path) or real(path))
    found = list(inspect_images([f"{path}::{name}" for name in members]))
    assert all(each.fault is None for each in found)
    assert listed == [str(path)]


def test_links_in_a_tar_are_the_files_that_they_lead_to(toy) -> None:
    path = write_tar(toy.root / "set.tar", {"a/0.png": png(0), "a/0.cls": "0", "a/1.cls": "1"})
    with tarfile.open(path, "a") as tar:
        for name, kind, target in (
            ("a/1.png", tarfile.LNKTYPE, "a/0.png"),
            ("b/2.png", tarfile.SYMTYPE, "../a/0.png"),
            ("b/2.cls", tarfile.SYMTYPE, "../a/1.cls"),
        ):
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = kind, target
            tar.addfile(entry)
    table = read_manifest(toy.data("set.tar")).table
    assert table["sample_id"].tolist() == ["a/0", "a/1", "b/2"]
    assert table["label"].tolist() == [0, 1, 1]
    assert table["checksum"].nunique() == 1


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"0.txt": "x"}, r"set\.tar: holds no images; known suffixes: \.bmp"),
        ({}, r"set\.tar: holds no images"),
        ({"0.png": png(0), "0.cls": "a", "1.png": png(1)}, r"1 images without a label: .*::1\.png"),
        ({"0.png": png(0), "0.json": "{}"}, r"none of its 1 images has a label; put KEY\.cls"),
        ({"0.cls": "a", "0.npy": "x"}, r"set\.tar::0: has a class and no image: cls, npy"),
        ({"0.png": png(0), "0.json": "{"}, r"set\.tar::0\.json: is not an object in JSON"),
        ({"0.png": png(0), "0.json": "[]"}, r"set\.tar::0\.json: is not an object in JSON"),
        ({"0.png": png(0), "0.cls": b"\xff"}, r"set\.tar::0\.cls: is not text in UTF-8"),
        ({"0.png": png(0), "0.json": '{"label": "a", "split": "spare"}'}, r"unknown splits: spare"),
    ],
)
def test_a_tar_that_is_no_labelled_set_is_refused(toy, members, fault: str) -> None:
    write_tar(toy.root / "set.tar", members)
    with pytest.raises(InputError, match=fault):
        list_samples(toy.data("set.tar"))


def test_a_label_column_that_no_json_has_is_named_with_those_there_are(toy) -> None:
    write_tar(toy.root / "set.tar", patients())
    with pytest.raises(
        InputError, match=r"set\.tar: has no column 'sujet'.*did you mean 'subject'"
    ):
        list_samples(toy.data("set.tar", label_column="sujet"))


@pytest.mark.parametrize("share", [0.2, 0.5, 0.77, 0.95])
def test_a_truncated_tar_is_refused_wherever_it_was_cut(toy, share: float) -> None:
    path = write_tar(toy.root / "set.tar", patients(16))
    with tarfile.open(path) as tar:
        end = tar.getmembers()[-1].offset_data + 512
    whole = path.read_bytes()[:end]
    for cut in (int(share * end), int(share * end) // 512 * 512):
        path.write_bytes(whole[:cut])
        with pytest.raises(
            InputError, match=r"set\.tar: .* after p.*(cut off, or still being written)"
        ):
            list_samples(toy.data("set.tar"))


def test_what_is_no_tar_is_refused(toy) -> None:
    toy.text("set.tar", "not a tar " * 200)
    with pytest.raises(InputError, match=r"set\.tar: cannot be read as tar"):
        list_samples(toy.data("set.tar"))
    with tarfile.open(toy.root / "set.tar", "w:gz") as tar:
        tar.add(toy.image("a.png"), "a.png")
    with pytest.raises(InputError, match=r"cannot be read as tar .*if it is packed, unpack it"):
        list_samples(toy.data("set.tar"))


def test_a_member_that_stands_twice_is_named(toy) -> None:
    path = write_tar(toy.root / "set.tar", {"0.png": png(0), "0.cls": "a"})
    with tarfile.open(path, "a") as tar:
        tar.addfile(tar.getmember("0.cls"), io.BytesIO(b"b"))
    with pytest.raises(InputError, match=r"set\.tar::0\.cls: stands in the tar twice"):
        list_samples(toy.data("set.tar"))


def test_a_broken_image_is_named_by_its_member_and_may_be_left_out(toy) -> None:
    members = patients() | {"p0_0.png": png(0)[:60], "p1_0.png": b""}
    write_tar(toy.root / "set.tar", members)
    with pytest.raises(
        InputError, match=r"2 of 8 images.*set\.tar::p0_0\.png: .*set\.tar::p1_0\.png"
    ):
        read_manifest(toy.data("set.tar"))
    assert len(read_manifest(toy.data("set.tar", on_error="skip")).table) == 6


@pytest.mark.parametrize(
    ("source", "fault"),
    [
        ("set/train-{0..3}.tar", r"2 of its files are missing: train-2\.tar, train-3\.tar"),
        ("set/test*.tar", r"no file has a name like this"),
        ("set/{train-0.tar,notes.csv}", r"neither tar nor Parquet: notes\.csv"),
        ("set/train-{3..0}.tar", r"\{3\.\.0\} is no range that rises"),
    ],
)
def test_a_pattern_that_names_no_set_is_refused(toy, source: str, fault: str) -> None:
    for shard in range(2):
        write_tar(toy.root / f"set/train-{shard}.tar", patients())
    toy.text("set/notes.csv", "a")
    with pytest.raises(InputError, match=fault):
        list_samples(toy.data(source))


def test_a_manifest_may_name_members_of_a_tar(toy) -> None:
    write_tar(toy.root / "scans.tar", patients())
    toy.text(
        "m.csv", "image,label\nscans.tar::p0_0.png,a\nscans.tar::p3_1.png,b\nscans.tar::x.png,b\n"
    )
    with pytest.raises(InputError, match=r"scans\.tar::x\.png: the tar has no such member"):
        read_manifest(toy.data("m.csv"))
    assert len(read_manifest(toy.data("m.csv", on_error="skip")).table) == 2
