"""Names inside archives and tables are keys: none of them becomes a path that is opened."""

import io
import tarfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from raymed.data import list_samples, read_manifest
from raymed.errors import InputError


def png(seed: int) -> bytes:
    file = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (6, 6), dtype=np.uint8)
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


@pytest.fixture
def secret(toy) -> Path:
    """An image beside the source, that nothing in the source may reach."""
    toy.images("secret.png")
    return toy.root / "secret.png"


def write_tar(path: Path, *entries: tuple[str, bytes | str]) -> None:
    """Write files, and links where the content is text."""
    path.parent.mkdir(exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in entries:
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size = len(content)
                tar.addfile(entry, io.BytesIO(content))


def test_a_tars_member_with_the_path_of_a_file_is_the_member(toy, secret: Path) -> None:
    own = [("a.png", png(1)), ("a.cls", b"0"), ("b.png", png(2)), ("b.cls", b"1")]
    outside = [(str(secret), png(3)), (str(secret.with_suffix(".cls")), b"1")]
    hidden = [("../secret.png", png(4)), ("../secret.cls", b"1")]
    write_tar(toy.root / "set/set.tar", *own, *outside, *hidden)

    table = read_manifest(toy.data("set/set.tar")).table

    assert table["sample_id"].tolist() == [str(secret.with_suffix("")), "a", "b"]
    assert all(image.startswith(f"{toy.root}/set/set.tar::") for image in table["image"])
    assert {path.name for path in toy.root.rglob("*")} == {"set", "set.tar", "secret.png"}


def test_a_link_in_a_tar_that_leads_out_of_it_is_refused(toy, secret: Path) -> None:
    write_tar(toy.root / "set/set.tar", ("a.png", str(secret)), ("a.cls", b"0"))

    with pytest.raises(InputError, match=r"a\.png: links to .*secret\.png, which does not precede"):
        list_samples(toy.data("set/set.tar"))


def test_the_path_that_a_row_carries_is_never_opened(toy, secret: Path) -> None:
    rows = [{"bytes": png(0), "path": "../secret.png"}, {"bytes": None, "path": str(secret)}]
    pq.write_table(pa.table({"image": rows, "label": ["a", "b"]}), toy.root / "set.parquet")

    with pytest.raises(InputError, match=r"1 of 2 images.*::1: holds no bytes, only the path"):
        read_manifest(toy.data("set.parquet"))


def test_a_frame_that_is_written_as_a_path_is_no_frame(toy, secret: Path) -> None:
    toy.images("set/a.png")
    toy.text("set/t.csv", f"image,label\na.png,x\na.png::../../{secret.name},y\n")

    with pytest.raises(InputError):
        read_manifest(toy.data("set/t.csv"))
