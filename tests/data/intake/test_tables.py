"""A CSV or Parquet table becomes a manifest."""

from pathlib import Path

import pandas as pd
import pytest

from raymed.data import list_samples, read_manifest
from raymed.errors import InputError

ROWS = {
    "image": ["a.png", "b.png", "c.png", "d.png"],
    "label": ["well", "ill", "well", "ill"],
    "who": [1, 2, 3, 3],
    "site": ["north", "south", "north", "south"],
    "split": ["train", "VAL", "", "test "],
}


@pytest.fixture
def table(toy) -> pd.DataFrame:
    """Four images with labels; patient 3 is both ill and well."""
    toy.images(*ROWS["image"])
    return pd.DataFrame(ROWS)


def test_a_byte_order_mark_does_not_hide_the_first_column(toy, table) -> None:
    toy.text("t.csv", "\ufeff" + table.to_csv(index=False))
    assert read_manifest(toy.data("t.csv")).labels.tolist() == [1, 0, 1, 0]


def test_csv_and_parquet_say_the_same(toy, table) -> None:
    table = table.drop(columns="split").assign(who=[1.0, 2.0, 3.0, 3.0])
    table.to_parquet(toy.root / "t.parquet")
    table.astype({"who": int}).to_csv(toy.root / "t.csv", index=False)
    first, second = (
        read_manifest(toy.data(f"t.{kind}", patients={"column": "who"}))
        for kind in ("csv", "parquet")
    )
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.patients.tolist() == ["1", "2", "3", "3"]
    assert first.content == second.content


def test_image_paths_start_at_the_tables_folder(
    toy, table, monkeypatch: pytest.MonkeyPatch
) -> None:
    (toy.root / "tables").mkdir()
    table["image"] = "../" + table["image"]
    table.to_csv(toy.root / "tables/t.csv", index=False)
    monkeypatch.chdir("/")
    listing = list_samples(toy.data("tables/t.csv"))
    assert listing.images == [str(toy.root / name) for name in ROWS["image"]]


def test_split_words_become_train_or_test(toy, table) -> None:
    table.to_csv(toy.root / "t.csv", index=False)
    assert list_samples(toy.data("t.csv")).table["split"].tolist() == ["train"] * 3 + ["test"]


def test_an_unknown_split_is_refused(toy, table) -> None:
    table.assign(split="holdout").to_csv(toy.root / "t.csv", index=False)
    with pytest.raises(InputError, match="unknown splits: holdout; write train, val or test"):
        list_samples(toy.data("t.csv"))


def test_sites_are_kept(toy, table) -> None:
    table.to_csv(toy.root / "t.csv", index=False)
    assert list_samples(toy.data("t.csv")).table["site"].tolist() == ROWS["site"]


def test_columns_may_have_other_names(toy, table) -> None:
    names = {"image": "file", "label": "stage", "site": "scanner", "split": "part"}
    table.rename(columns=names).to_csv(toy.root / "t.csv", index=False)
    columns = {f"{ours}_column": theirs for ours, theirs in names.items()}
    found = list_samples(toy.data("t.csv", **columns)).table
    assert found["label"].tolist() == [1, 0, 1, 0]
    assert found["site"].tolist() == ROWS["site"]
    assert found["split"].tolist()[-1] == "test"


@pytest.mark.parametrize("key", ["image", "label", "site", "split"])
def test_a_named_column_that_is_absent_is_refused(toy, table, key: str) -> None:
    # A misspelt split column must not turn the test split into training samples.
    table.to_csv(toy.root / "t.csv", index=False)
    with pytest.raises(InputError, match="has no column 'gone'; columns are image, label, who"):
        list_samples(toy.data("t.csv", **{f"{key}_column": "gone"}))


def test_a_table_without_site_and_split_is_all_training(toy, table) -> None:
    table[["image", "label"]].to_csv(toy.root / "t.csv", index=False)
    found = list_samples(toy.data("t.csv")).table
    assert set(found["split"]) == {"train"}
    assert set(found["site"]) == {""}


def test_rows_without_a_label_are_named_as_the_file_counts_them(toy, table) -> None:
    table.assign(label=["well", "", "ill", " "]).to_csv(toy.root / "t.csv", index=False)
    with pytest.raises(InputError, match="rows without a label: 3, 5"):
        list_samples(toy.data("t.csv"))


def test_repeated_sample_ids_are_refused(toy, table) -> None:
    table.assign(image="a.png").to_csv(toy.root / "t.csv", index=False)
    with pytest.raises(InputError, match=r"sample ids stand twice: a\.png"):
        list_samples(toy.data("t.csv"))


def test_ids_of_their_own_allow_an_image_to_stand_twice(toy, table) -> None:
    table = table.assign(image="p7/a.png", sample_id=["s4", "s3", "s2", "s1"])
    table.drop(columns="split").to_csv(toy.root / "t.csv", index=False)
    found = list_samples(toy.data("t.csv", patients={"pattern": r"(p\d+)"})).table
    assert found["sample_id"].tolist() == ["s1", "s2", "s3", "s4"]
    assert found["patient"].tolist() == ["p7"] * 4


@pytest.mark.parametrize(
    ("name", "content"),
    [("t.csv", b""), ("t.csv", b"\xff\xfe\x00"), ("t.parquet", b"PAR1 no"), ("t.pq", b"")],
)
def test_an_unreadable_table_is_refused(toy, name: str, content: bytes) -> None:
    Path(toy.root / name).write_bytes(content)
    with pytest.raises(InputError, match=f"{name}: cannot be read as a table"):
        list_samples(toy.data(name))


def test_a_table_without_rows_is_refused(toy) -> None:
    toy.text("t.csv", "image,label\n")
    with pytest.raises(InputError, match="has no rows"):
        list_samples(toy.data("t.csv"))


@pytest.mark.parametrize("separator", [";", "\t"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_csv_may_have_semicolons_or_tabs(toy, table, separator: str, mark: str) -> None:
    toy.text("t.csv", mark + table.to_csv(index=False, sep=separator))
    toy.text("plain.csv", table.to_csv(index=False))
    first, second = (read_manifest(toy.data(name)) for name in ("t.csv", "plain.csv"))
    pd.testing.assert_frame_equal(first.table, second.table)


def test_a_semicolon_inside_a_column_of_a_csv_with_commas_stays(toy, table) -> None:
    table.assign(who="a;b", split="").to_csv(toy.root / "t.csv", index=False)
    found = list_samples(toy.data("t.csv", patients={"column": "who"})).table
    assert set(found["patient"]) == {"a;b"}


def test_tsv_and_excel_say_the_same(toy, table) -> None:
    table = table.assign(who=["01", "02", "03", "03"], split="")
    table.to_csv(toy.root / "t.tsv", index=False, sep="\t")
    table.to_excel(toy.root / "t.xlsx", index=False)
    first, second = (
        read_manifest(toy.data(f"t.{kind}", patients={"column": "who"})) for kind in ("tsv", "xlsx")
    )
    pd.testing.assert_frame_equal(first.table, second.table)
    assert first.patients.tolist() == ["01", "02", "03", "03"]


def test_numbers_in_excel_are_read_as_they_look(toy, table) -> None:
    table.assign(label=[0, 1, 0, 1], split="").to_excel(toy.root / "t.xlsx", index=False)
    listing = list_samples(toy.data("t.xlsx", patients={"column": "who"}))
    assert listing.classes == ("0", "1")
    assert listing.table["patient"].tolist() == ["1", "2", "3", "3"]


def test_a_table_in_another_encoding_says_what_to_do(toy) -> None:
    (toy.root / "t.csv").write_bytes("image,label\na.png,größer\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"it is not UTF-8.*save it as CSV UTF-8"):
        list_samples(toy.data("t.csv"))


def test_ids_with_spaces_are_ids(toy, table) -> None:
    table.assign(sample_id=["a 1", "a 2", "b 1", "b 2"]).to_csv(toy.root / "t.csv", index=False)
    found = list_samples(toy.data("t.csv")).table
    assert found["sample_id"].tolist() == ["a 1", "a 2", "b 1", "b 2"]
