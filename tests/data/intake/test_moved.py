"""A table's images are found where they lie now."""

from pathlib import Path

import pytest

from raymed.data import list_samples, read_manifest
from raymed.data.intake.moved import place_images
from raymed.errors import InputError


@pytest.fixture
def moved(toy):
    """Images below new/, and a way to write a table that has them elsewhere."""
    toy.images("new/ill/p1/a.png", "new/well/p2/b.png")

    def write(first: str, second: str, **settings):
        toy.text("t.csv", f"image,label\n{first},ill\n{second},well\n")
        return toy.data("t.csv", **settings)

    return write


@pytest.mark.parametrize(
    "before", ["/mnt/pacs/{}", "/srv/old/ill/{}", "C:\\scans\\{}", "\\\\server\\share\\x\\{}"]
)
def test_absolute_paths_of_another_machine_are_found_below_the_root(
    moved, toy, before: str
) -> None:
    paths = ["ill/p1/a.png", "well/p2/b.png"]
    if "\\" in before:
        paths = [path.replace("/", "\\") for path in paths]
    data = moved(*(before.format(path) for path in paths), root=toy.root / "new")
    expected = [str(toy.root / "new" / name) for name in ("ill/p1/a.png", "well/p2/b.png")]
    assert sorted(read_manifest(data).table["image"]) == sorted(expected)


def test_relative_paths_start_at_the_root(moved, toy) -> None:
    data = moved("ill/p1/a.png", "well/p2/b.png", root=toy.root / "new")
    assert len(read_manifest(data).table) == 2


def test_one_rule_holds_for_all_paths_so_that_what_is_missing_is_named(moved, toy) -> None:
    data = moved("/mnt/ill/p1/a.png", "/mnt/well/p9/b.png", root=toy.root / "new")
    with pytest.raises(InputError, match=r"1 of 2 images.*new/well/p9/b\.png: no such image"):
        read_manifest(data)


def test_a_root_that_holds_none_of_them_is_refused(moved, toy) -> None:
    data = moved("/mnt/x.png", "/mnt/y.png", root=toy.root / "new")
    with pytest.raises(InputError, match=r"data\.root: no image of the manifest lies below"):
        list_samples(data)


def test_without_a_root_a_missing_image_tells_of_it(moved) -> None:
    with pytest.raises(InputError, match=r"if they lie elsewhere now, data\.root says below"):
        read_manifest(moved("/mnt/pacs/ill/p1/a.png", "/mnt/pacs/well/p2/b.png"))


def test_a_slice_keeps_its_place(tmp_path: Path) -> None:
    table = tmp_path / "t.csv"
    assert place_images(["v.nii::axial/3"], table, None) == [f"{tmp_path}/v.nii::axial/3"]
    (tmp_path / "v.nii").touch()
    assert place_images(["/x/v.nii::axial/3"], table, tmp_path) == [f"{tmp_path}/v.nii::axial/3"]


@pytest.mark.parametrize(
    "path",
    ["../old/c.png", "ill/../../old/c.png", "..\\old\\c.png", "/mnt/ill/../../old/c.png", ".."],
)
def test_no_path_of_a_table_leads_out_of_the_root(moved, toy, path: str) -> None:
    toy.images("old/c.png")
    first = "/mnt/ill/p1/a.png" if path.startswith("/") else "ill/p1/a.png"

    with pytest.raises(InputError, match=r"data\.root: 1 images of the manifest lead out of"):
        list_samples(moved(first, path, root=toy.root / "new"))


def test_a_path_that_turns_back_within_the_root_stays_there(moved, toy) -> None:
    data = moved("ill/../ill/p1/a.png", "well/p2/b.png", root=toy.root / "new")

    assert str(toy.root / "new/ill/p1/a.png") in set(read_manifest(data).table["image"])


def test_a_path_through_a_link_turns_back_below_the_root_too(moved, toy) -> None:
    """Its owner may link out of the root; a table may not climb from there."""
    toy.images("old/deep/c.png", "old/d.png")
    (toy.root / "new/link").symlink_to(toy.root / "old/deep")

    found = list_samples(moved("link/c.png", "link/../d.png", root=toy.root / "new")).images

    assert sorted(found) == [str(toy.root / "new/d.png"), str(toy.root / "new/link/c.png")]
