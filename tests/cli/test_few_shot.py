"""What `raymed predict --support` refuses, and what it says then."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., Any]


@pytest.fixture
def ask(raymed: Call, run: Path, scans: Path, tmp_path: Path) -> Call:
    """Ask by a support, which is refused: nothing is written."""

    def refused(support: Path, *options: object) -> str:
        output = tmp_path / "p.csv"
        said = raymed("predict", run, scans, "-o", output, "--support", support, *options)
        assert said.code == 2, said
        assert not output.exists()
        return str(said.err)

    return refused


def test_a_stack_without_prototypical_members_is_told(ask: Call, run: Path, scans: Path) -> None:
    told = ask(scans)

    assert f"{run.resolve() / 'stack'}: no prototypical member among cnn" in told
    assert "head: prototypical" in told


def test_fewer_than_two_classes_are_told(ask: Call, scans: Path) -> None:
    assert "holds 0 class folders, which is fewer than two; make a" in ask(scans / "sick")


def test_a_class_without_an_image_is_told(ask: Call, scans: Path) -> None:
    (scans / "empty").mkdir()

    assert f"{scans / 'empty'}: the class folder holds no image; fill" in ask(scans)


def test_a_support_that_is_no_folder_is_told(ask: Call, scans: Path) -> None:
    assert f"{scans / 'none'}: no such folder" in ask(scans / "none")


def test_views_of_images_are_told_not_to_go_with_it(ask: Call, scans: Path) -> None:
    assert "--support: does not go with --tta 4" in ask(scans, "--tta", 4)
