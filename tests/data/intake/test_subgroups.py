"""What a column says of samples becomes groups, each sample in one."""

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.config import Subgroup
from raymed.data import list_samples, read_manifest
from raymed.data.images import inspect_images
from raymed.data.intake.manifest import Manifest
from raymed.data.intake.subgroups import UNKNOWN, group_samples
from raymed.errors import InputError

NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
CUTS = st.lists(NUMBERS, min_size=1, max_size=5, unique=True).map(sorted)


@pytest.fixture
def table(toy) -> pd.DataFrame:
    """Four samples of three patients; the age of one is missing, everybody's sex is known."""
    names = ["a.png", "b.png", "c.png", "d.png"]
    toy.images(*names)
    table = pd.DataFrame(
        {
            "image": names,
            "label": ["well", "ill", "well", "ill"],
            "who": ["p1", "p2", "p3", "p3"],
            "age": ["39.5", "", "40", "40"],
            "sex": ["F", "M ", "F", "F"],
        }
    )
    table.to_csv(toy.root / "t.csv", index=False)
    return table


def carried(toy, *subgroups: Subgroup) -> Manifest:
    listing = list_samples(toy.data("t.csv", patients={"column": "who"}), subgroups)
    return listing.inspected(list(inspect_images(listing.images)))


def bounds(name: str) -> tuple[float, float]:
    """The half-open interval that a band's name promises."""
    if name.startswith("< "):
        return -math.inf, float(name[2:])
    if name.startswith("≥ "):
        return float(name[2:]), math.inf
    low, high = name.split(" to < ")
    return float(low), float(high)


@given(values=st.lists(NUMBERS | st.none(), min_size=1, max_size=30), cuts=CUTS)
def test_bands_put_every_row_into_the_one_group_that_holds_it(
    values: list[float | None], cuts: list[float]
) -> None:
    groups = group_samples(["" if value is None else repr(value) for value in values], cuts)

    assert set(groups.of_sample) == set(groups.names)
    for value, name in zip(values, groups.of_sample, strict=True):
        assert (value is None) == (name == UNKNOWN)
        if value is not None:
            low, high = bounds(name)
            assert low <= value < high
    edges = [bounds(name)[0] for name in groups.names if name != UNKNOWN]
    assert edges == sorted(set(edges))
    assert UNKNOWN not in groups.names[:-1]


def test_values_are_groups_in_the_order_of_people_and_the_missing_come_last() -> None:
    groups = group_samples(["T10", "", "T2", "T10"], None)

    assert groups.names == ("T2", "T10", UNKNOWN)
    assert groups.of_sample.tolist() == ["T10", UNKNOWN, "T2", "T10"]


def test_the_manifest_carries_columns_and_its_hash_knows_nothing_of_them(toy, table) -> None:
    age, sex = Subgroup(column="age", bands=(40,)), Subgroup(column="sex")

    manifest = carried(toy, age, sex)

    assert manifest.groups(age).of_sample.tolist() == ["< 40", UNKNOWN, "≥ 40", "≥ 40"]
    assert manifest.groups(sex).of_sample.tolist() == ["F", "M", "F", "F"]
    assert manifest.content == read_manifest(toy.data("t.csv", patients={"column": "who"})).content
    manifest.write(toy.root / "m.parquet")
    assert Manifest.read(toy.root / "m.parquet").groups(age).names == ("< 40", "≥ 40", UNKNOWN)


@pytest.mark.parametrize(
    "rows",
    [
        "person,side\np1,left\np2,right\n",  # p3 is not there
        "file,side\na.png,left\nb.png,right\nz.png,left\n",
    ],
)
def test_another_table_says_it_by_patient_or_by_image(toy, table, rows: str) -> None:
    toy.text("more.csv", rows)
    side = Subgroup(column="side", file=toy.root / "more.csv")

    found = carried(toy, side).groups(side)

    assert found.of_sample.tolist() == ["left", "right", UNKNOWN, UNKNOWN]


def test_our_own_columns_do_not_hide_the_users(toy, table) -> None:
    label, site = Subgroup(column="label"), Subgroup(column="checksum")
    table.assign(checksum=["x", "y", "x", "y"]).to_csv(toy.root / "t.csv", index=False)

    manifest = carried(toy, label, site)

    assert manifest.groups(label).of_sample.tolist() == table["label"].tolist()
    assert manifest.groups(site).names == ("x", "y")
    assert len(manifest.table["checksum"][0]) == 64


@pytest.mark.parametrize(
    ("subgroup", "said"),
    [
        ({"column": "agee"}, "has no column 'agee'; did you mean 'age'?"),
        ({"column": "sex", "bands": (1,)}, r"column 'sex': holds what is no number: F, M"),
        ({"column": "site"}, "column 'site': is empty for every sample"),
    ],
)
def test_a_column_of_no_use_is_refused(toy, table, subgroup, said: str) -> None:
    with pytest.raises(InputError, match=said.replace("?", r"\?")):
        carried(toy, Subgroup(**subgroup))


def test_a_column_of_many_values_asks_for_bands(toy, table) -> None:
    names = [f"{at}.png" for at in range(21)]
    toy.images(*names)
    labels = ["ill", "well"] * 10 + ["ill"]
    table = pd.DataFrame({"image": names, "label": labels, "who": names, "age": range(21)})
    table.to_csv(toy.root / "t.csv", index=False)

    with pytest.raises(InputError, match="holds 21 values, at most 20 make groups; give bands"):
        carried(toy, Subgroup(column="age"))
    assert carried(toy, Subgroup(column="age", bands=(9,))) is not None


def test_a_table_of_other_people_is_refused(toy, table) -> None:
    toy.text("more.csv", "person,side\nq1,left\n")

    with pytest.raises(InputError, match="no row is of a sample or patient; name the column"):
        carried(toy, Subgroup(column="side", file=toy.root / "more.csv"))
