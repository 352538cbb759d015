"""What a table's columns hold."""

import pandas as pd
import pytest

from raymed.data.proposal.columns import label_column, patient_column, site_column, split_column

TABLE = pd.DataFrame({"image": list("abcd")})
WHO = ["1", "1", "2", "3"]


@pytest.mark.parametrize(
    "name",
    ["patient", "Patient ID", "patient_id", "subject", "SubjectID", "case", "participant_id"],
)
def test_patients_are_known_by_the_columns_name(name: str) -> None:
    assert patient_column(TABLE.assign(**{name: WHO})) == name


def test_patients_come_before_cases_and_lesions() -> None:
    assert patient_column(TABLE.assign(lesion_id=WHO, case=WHO, subject=WHO)) == "subject"


@pytest.mark.parametrize("who", [["1", "", "2", "3"], ["1"] * 4])
def test_a_column_with_gaps_or_one_patient_is_not_taken(who: list[str]) -> None:
    assert patient_column(TABLE.assign(patient=who)) is None


@pytest.mark.parametrize("name", ["label", "Class", "diagnosis", "dx", "Stage", "group"])
def test_labels_are_known_by_name_and_repeat(name: str) -> None:
    assert label_column(TABLE.assign(**{name: list("aabb")})) == name
    assert label_column(TABLE.assign(**{name: list("abcd")})) is None
    assert label_column(TABLE.assign(**{name: list("aaaa")})) is None


def test_what_is_named_otherwise_already_is_left_out() -> None:
    table = TABLE.assign(label=list("aabb"))

    assert label_column(table, ["label"]) is None


def test_sites_and_splits() -> None:
    table = TABLE.assign(hospital=list("xxyy"), Subset=["Train", "val", "test", "test"])

    assert (site_column(table), split_column(table)) == ("hospital", "Subset")
    assert split_column(TABLE.assign(set=list("1122"))) is None
    assert split_column(TABLE.assign(split=["test"] * 4)) is None
