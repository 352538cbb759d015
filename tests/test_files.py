"""Files are whole or absent, and a folder is complete only as its marker says."""

import json
from pathlib import Path

import pytest

from raymed.errors import InputError
from raymed.files import (
    complete,
    digest,
    is_locked,
    mark_complete,
    read_json,
    share_lock,
    take_lock,
    told_size,
    whole_file,
    write_json,
)


def test_a_file_whose_writing_failed_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("before")

    def write_half() -> None:
        with whole_file(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()

    assert path.read_text() == "before"
    assert [file.name for file in tmp_path.iterdir()] == ["a.txt"]


def test_a_marked_folder_is_complete_until_a_file_of_it_changes(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    assert complete(tmp_path) is None

    mark_complete(tmp_path, ["a"], fold=3)
    assert complete(tmp_path)["fold"] == 3

    (tmp_path / "a").write_text("2")
    assert complete(tmp_path) is None
    (tmp_path / "a").unlink()
    assert complete(tmp_path) is None


@pytest.mark.parametrize("marker", ["", "{", "[]", '{"files": {"a": 1}}', '{"files": []}'])
def test_a_broken_marker_means_incomplete(tmp_path: Path, marker: str) -> None:
    (tmp_path / "a").write_text("1")
    (tmp_path / "DONE.json").write_text(marker)

    assert complete(tmp_path) is None


def test_nan_is_no_json(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert not list(tmp_path.iterdir())


def test_broken_json_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")

    with pytest.raises(InputError, match=r"a\.json: is not valid JSON"):
        read_json(tmp_path / "a.json")


def test_a_digest_does_not_depend_on_the_order_of_keys() -> None:
    assert digest({"a": 1, "b": [2]}) == digest(json.loads('{"b": [2], "a": 1}'))
    assert digest({"a": 1}) != digest({"a": 2})


def test_a_lock_that_others_share_cannot_be_taken(tmp_path: Path) -> None:
    lock = tmp_path / "new" / "a.lock"
    with share_lock(lock), share_lock(lock):
        assert is_locked(lock)
        assert take_lock(lock, "me") is None
    assert not is_locked(lock)
    taken = take_lock(lock, "me")
    assert taken is not None
    with taken:
        assert is_locked(lock)


def test_a_lock_whose_file_was_deleted_is_another_lock(tmp_path: Path) -> None:
    lock = tmp_path / "a.lock"
    with share_lock(lock):
        lock.unlink()
        assert not is_locked(lock)
        taken = take_lock(lock, "me")
        assert taken is not None
        taken.close()


@pytest.mark.parametrize(
    ("size", "told"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (41_000, "41 kB"), (2.5e9, "2.5 GB")],
)
def test_sizes_are_told_in_few_digits(size: float, told: str) -> None:
    assert told_size(size) == told
