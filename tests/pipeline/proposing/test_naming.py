"""The name of what is proposed, and files that are there already."""

from pathlib import Path

import pytest

from raymed.errors import InputError
from raymed.pipeline.proposing import propose_name, refuse_existing


@pytest.mark.parametrize(
    ("source", "name"),
    [
        ("/data/alzheimer/images", "alzheimer"),
        ("/data/pneumoniamnist.npz", "pneumoniamnist"),
        ("/data/My set (2)/train", "My-set-2"),
        ("/data/études/manifest.csv", "tudes"),
        ("s3://bucket/brain/?endpoint_override=http://localhost:9000", "brain"),
        ("/data/images", "experiment"),
        ("/", "experiment"),
    ],
)
def test_the_nearest_folder_that_says_something_names_it(source: str, name: str) -> None:
    assert propose_name(source) == name


def test_a_name_whose_run_is_there_gets_a_number(tmp_path: Path) -> None:
    for taken in ("brain", "brain-2"):
        (tmp_path / taken).mkdir()

    assert propose_name("/data/brain", tmp_path) == "brain-3"


def test_files_are_written_over_with_force_only(tmp_path: Path) -> None:
    file, manifest = tmp_path / "a.yaml", tmp_path / "a.manifest.csv"
    manifest.touch()
    refuse_existing(file, manifest=False, force=False)

    with pytest.raises(InputError, match=r"a.manifest.csv: is there already"):
        refuse_existing(file, manifest=True, force=False)
    refuse_existing(file, manifest=True, force=True)
    with pytest.raises(InputError, match="is a folder"):
        refuse_existing(tmp_path, manifest=False, force=True)
