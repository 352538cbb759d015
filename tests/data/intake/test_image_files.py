"""Images are found below a folder whatever the folder is like."""

import os
from pathlib import Path

import pytest

from raymed.data import read_manifest
from raymed.data.intake.image_files import find_images
from raymed.errors import InputError


def names(folder: Path) -> list[str]:
    return [path.relative_to(folder).as_posix() for path in find_images(folder)]


def test_a_link_to_a_folder_is_followed(toy) -> None:
    toy.image("elsewhere/p1/a.png")
    (toy.root / "scans").mkdir()
    (toy.root / "scans/p1").symlink_to(toy.root / "elsewhere/p1")
    assert names(toy.root / "scans") == ["p1/a.png"]


def test_a_loop_of_links_ends(toy) -> None:
    toy.images("scans/a.png", "scans/p1/b.png")
    (toy.root / "scans/p1/back").symlink_to(toy.root / "scans")
    (toy.root / "scans/self").symlink_to(toy.root / "scans/self")
    assert names(toy.root / "scans") == ["a.png", "p1/b.png"]


def test_a_link_from_a_class_to_all_classes_gives_it_no_image_of_another(toy) -> None:
    toy.images("scans/ill/a.png", "scans/well/b.png")
    (toy.root / "scans/ill/all").symlink_to(toy.root / "scans")
    assert names(toy.root / "scans/ill") == ["a.png"]


def test_one_folder_linked_from_two_is_listed_in_both(toy) -> None:
    toy.image("shared/a.png")
    for name in ("p1", "p2"):
        (toy.root / "scans").mkdir(exist_ok=True)
        (toy.root / "scans" / name).symlink_to(toy.root / "shared")
    assert names(toy.root / "scans") == ["p1/a.png", "p2/a.png"]


def test_hidden_files_and_other_files_are_left_out(toy) -> None:
    toy.images("scans/a.png", "scans/.b.png", "scans/.cache/c.png", "scans/D.PNG")
    toy.text("scans/notes.txt", "x")
    toy.text("scans/README", "x")
    assert names(toy.root / "scans") == ["D.PNG", "a.png"]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_that_may_not_be_read_is_named(toy) -> None:
    toy.image("scans/p1/a.png")
    (toy.root / "scans/p1").chmod(0)
    try:
        with pytest.raises(InputError, match=r"p1: cannot be read \(Permission denied\)"):
            find_images(toy.root / "scans")
    finally:
        (toy.root / "scans/p1").chmod(0o700)


def test_a_file_that_is_gone_between_is_named(toy) -> None:
    with pytest.raises(InputError, match=r"gone: cannot be read \(No such file or directory\)"):
        find_images(toy.root / "gone")


def test_long_and_foreign_names_are_names_like_any(toy) -> None:
    long = "x" * 240
    strange = ["läsion 7/größe ü.png", "病変/画像 1.png", f"läsion 7/{long}.png", "病変/a::b.png"]
    toy.images(*strange)
    table = read_manifest(toy.data(patients={"pattern": "([^/]+)$"})).table
    assert sorted(table["sample_id"]) == sorted(strange)
    assert all(Path(path).is_file() for path in table["image"])
