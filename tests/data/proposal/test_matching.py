"""Rows of a table and the images that they are about."""

import pandas as pd
import pytest

from raymed.data.proposal.matching import match_rows

IMAGES = ["x/sub-01/anat/sub-01_T1w.nii.gz", "x/sub-02/anat/sub-02_T1w.nii.gz", "x/b/c.d.png"]


@pytest.mark.parametrize(
    ("values", "how", "pairs"),
    [
        (["/old/x/b/c.d.png", "anat/sub-01_T1w.nii.gz"], "path", {(0, 2), (1, 0)}),
        (["x\\b\\c.d.png", "sub-02_T1w.nii.gz"], "path", {(0, 2), (1, 1)}),
        (["sub-02_T1w", "c.d"], "name", {(0, 1), (1, 2)}),
        (["sub-02", "sub-01", "b"], "a part of the path", {(0, 1), (1, 0), (2, 2)}),
        (["02", "01"], "a part of the path", {(0, 1), (1, 0)}),
    ],
)
def test_rows_find_their_images(values: list[str], how: str, pairs: set[tuple[int, int]]) -> None:
    match = match_rows(pd.DataFrame({"other": "", "id": values}), IMAGES)

    assert match is not None
    assert (match.column, match.how, set(match.pairs)) == ("id", how, pairs)


def test_a_row_may_stand_for_several_images_by_a_part_only() -> None:
    images = ["p1/a.png", "p1/b.png", "p2/a.png"]

    match = match_rows(pd.DataFrame({"who": ["p1", "p2"], "file": ["a.png", "b.png"]}), images)

    assert match is not None
    assert (match.column, sorted(match.pairs)) == ("who", [(0, 0), (0, 1), (1, 2)])


@pytest.mark.parametrize(
    "values",
    [
        ["sub-01", "sub-01"],  # two rows of one image
        ["y", "z"],
        ["sub-01", "y", "z"],  # most name nothing
        ["", ""],
    ],
)
def test_columns_that_name_images_twice_or_hardly_any_are_left(values: list[str]) -> None:
    assert match_rows(pd.DataFrame({"id": values}), IMAGES) is None


def test_the_patient_in_the_header_names_images_too() -> None:
    table = pd.DataFrame({"who": ["17", "4"], "label": ["a", "b"]})

    match = match_rows(table, ["1.dcm", "2.dcm", "3.dcm"], ["4", "17", "17"])

    assert match is not None
    assert set(match.pairs) == {(0, 1), (0, 2), (1, 0)}
