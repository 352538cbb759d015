"""Mapped arrays: what is written is read back, and their space is taken when they are made."""

from pathlib import Path

import numpy as np

from raymed.data.arrays import new_array, open_array


def test_what_was_written_is_read_back_and_cannot_be_changed(tmp_path: Path) -> None:
    made = new_array(tmp_path / "a.npy", np.uint8, (3, 4))
    made[:] = np.arange(12).reshape(3, 4)
    made.flush()

    found = open_array(tmp_path / "a.npy")

    assert found.tolist() == np.arange(12).reshape(3, 4).tolist()
    assert not found.flags.writeable


def test_the_space_is_taken_at_once_so_that_a_full_disk_says_so(tmp_path: Path) -> None:
    new_array(tmp_path / "a.npy", np.uint8, (1000, 1000))

    assert (tmp_path / "a.npy").stat().st_blocks * 512 >= 1_000_000
