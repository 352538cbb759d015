"""Who a sample belongs to: a column, another table, a pattern; never silently nobody."""

import pandas as pd
import pytest

from raymed.config import DataConfig
from raymed.data import list_samples
from raymed.errors import InputError

OF_SCANS = ["p1", "p1", "p2", "p2", "p3", "p3", "p4", "p4"]


@pytest.fixture
def who(scans) -> pd.DataFrame:
    """The patient of each of the toy scans, by image path."""
    ids = list_samples(scans.data()).table["sample_id"]
    return pd.DataFrame({"file": ids, "age": "60", "patient": OF_SCANS})


def test_patients_left_out_are_refused_with_every_way_to_give_them(scans) -> None:
    with pytest.raises(InputError) as refusal:
        list_samples(DataConfig(source=scans.root))
    for word in ("data.patients", "column", "file", "pattern", "`none`", "leakage"):
        assert word in str(refusal.value)


def test_without_patients_each_sample_is_its_own(scans) -> None:
    listing = list_samples(scans.data())
    assert not listing.patients_declared
    assert listing.table["patient"].tolist() == listing.table["sample_id"].tolist()


def test_a_pattern_finds_the_patient_in_the_path(scans) -> None:
    listing = list_samples(scans.data(patients={"pattern": r"/(p\d+)_"}))
    assert listing.patients_declared
    assert listing.table["patient"].tolist() == OF_SCANS


@pytest.mark.parametrize(
    ("pattern", "fault"),
    [
        (r"(p\d", "is not valid"),
        (r"p\d+", "has 0 groups; put the patient into one pair of parentheses"),
        (r"(p)(\d+)", "has 2 groups"),
        (r"ill/(p\d+)", "finds no patient in 4 images: well/p3_0.png"),
        (r"_\d(x)?", "finds no patient in 8 images"),
        (r"_\d(x*)", "finds no patient in 8 images"),
    ],
)
def test_a_pattern_that_names_nobody_is_refused(scans, pattern: str, fault: str) -> None:
    with pytest.raises(InputError, match="patients pattern: ") as refusal:
        list_samples(scans.data(patients={"pattern": pattern}))
    assert fault in str(refusal.value)


@pytest.mark.parametrize("key", [{}, {"key": "file"}])
def test_another_table_gives_the_patient_in_any_order_of_rows(scans, who, key) -> None:
    who.sample(frac=1, random_state=1).to_csv(scans.root / "who.csv", index=False)
    source = {"file": scans.root / "who.csv", "column": "patient", **key}
    assert list_samples(scans.data(patients=source)).table["patient"].tolist() == OF_SCANS


def test_another_table_may_name_samples_by_their_ids(toy) -> None:
    toy.text("t.csv", "image,label,sample_id\na.png,x,1\nb.png,y,2\n")
    toy.text("who.csv", "id,patient\n2,anna\n1,bert\n")
    source = {"file": toy.root / "who.csv", "column": "patient"}
    found = list_samples(toy.data("t.csv", patients=source)).table
    assert found["patient"].tolist() == ["bert", "anna"]


def test_a_sample_without_a_row_is_refused_by_name(scans, who) -> None:
    who.iloc[1:].to_csv(scans.root / "who.csv", index=False)
    source = {"file": scans.root / "who.csv", "column": "patient"}
    with pytest.raises(InputError, match=r"who\.csv: 1 samples have no row: ill/p1_0\.png"):
        list_samples(scans.data(patients=source))


def test_a_key_that_is_no_path_is_refused(scans, who) -> None:
    who.to_csv(scans.root / "who.csv", index=False)
    source = {"file": scans.root / "who.csv", "column": "patient", "key": "age"}
    with pytest.raises(InputError, match=r"8 samples have no row.*as `key`"):
        list_samples(scans.data(patients=source))


def test_a_table_that_contradicts_itself_is_refused(scans, who) -> None:
    again = pd.DataFrame({"file": ["ill/p1_0.png"], "age": "60", "patient": ["p9"]})
    pd.concat([who, again]).to_csv(scans.root / "who.csv", index=False)
    source = {"file": scans.root / "who.csv", "column": "patient"}
    with pytest.raises(InputError, match=r"'file' names samples twice .*: ill/p1_0\.png"):
        list_samples(scans.data(patients=source))


def test_a_row_that_only_stands_twice_is_accepted(scans, who) -> None:
    pd.concat([who, who]).to_csv(scans.root / "who.csv", index=False)
    source = {"file": scans.root / "who.csv", "column": "patient"}
    assert list_samples(scans.data(patients=source)).table["patient"].tolist() == OF_SCANS


@pytest.mark.parametrize(
    ("settings", "fault"),
    [
        ({"file": "gone.csv", "column": "patient"}, r"gone\.csv: no such file"),
        ({"file": "who.csv", "column": "patent"}, "no column 'patent'; did you mean 'patient'"),
        ({"file": "who.csv", "column": "patient", "key": "fil"}, "did you mean 'file'"),
    ],
)
def test_what_another_table_lacks_is_said(scans, who, settings, fault: str) -> None:
    who.to_csv(scans.root / "who.csv", index=False)
    settings = settings | {"file": scans.root / settings["file"]}
    with pytest.raises(InputError, match=fault):
        list_samples(scans.data(patients=settings))


def test_a_sample_without_a_patient_is_refused_by_name(toy) -> None:
    toy.text("t.csv", "image,label,patient\na.png,x,p1\nb.png,y,\nc.png,y,  \n")
    with pytest.raises(InputError, match=r"'patient'.*empty for 2 samples: b\.png, c\.png"):
        list_samples(toy.data("t.csv", patients={"column": "patient"}))


def test_a_missing_patient_column_is_refused_with_those_there_are(toy) -> None:
    toy.text("t.csv", "image,label,patient\na.png,x,p1\nb.png,y,p2\n")
    with pytest.raises(InputError, match="has no column 'patent'; did you mean 'patient'"):
        list_samples(toy.data("t.csv", patients={"column": "patent"}))


def test_spaces_around_a_patient_do_not_make_another_one(toy) -> None:
    toy.text("t.csv", "image,label,patient\na.png,x,p1\nb.png,y,p1 \n")
    found = list_samples(toy.data("t.csv", patients={"column": "patient"})).table
    assert found["patient"].tolist() == ["p1", "p1"]


def test_a_patient_in_both_train_and_test_is_refused(toy) -> None:
    toy.text(
        "t.csv", "image,label,who,split\na.png,x,p1,train\nb.png,y,p2,train\nc.png,x,p1,test\n"
    )
    with pytest.raises(InputError, match="patients stand in both train and test: p1"):
        list_samples(toy.data("t.csv", patients={"column": "who"}))
    assert len(list_samples(toy.data("t.csv")).table) == 3
