"""Patients in the names of images."""

import pytest

from raymed.data.intake.patients import patients_in_paths
from raymed.data.proposal.paths import patients_in_names


@pytest.mark.parametrize(
    ("names", "patients"),
    [
        (["a/sub-01_T1w.nii", "b/sub-02_T1w.nii"], ["sub-01", "sub-02"]),
        (["a/patient12_3.png", "b/patient_13_3.png"], ["patient12", "patient_13"]),
        (["a/x/Subject-7.png", "b/x/subject-8.png"], ["Subject-7", "subject-8"]),
        (["a/OAS1_0001_MR1_4.png", "b/OAS1_0002_MR1_4.png"], ["OAS1_0001", "OAS1_0002"]),
        (["a/I_011_S_0002_9.png", "b/I_023_S_0004.png"], ["011_S_0002", "023_S_0004"]),
        (["a/p1_0.png", "a/p1_1.png", "b/p2_0.png", "b/p2_1.png"], ["p1", "p1", "p2", "p2"]),
        (["a/person1_virus_6.jpg", "b/person2_x.jpg"], ["person1", "person2"]),
    ],
)
def test_a_pattern_gives_each_path_its_patient(names: list[str], patients: list[str]) -> None:
    for paths, below_class in ((names, True), ([name.split("/", 1)[1] for name in names], False)):
        guess = patients_in_names(paths, below_class=below_class)

        assert guess is not None
        assert patients_in_paths(paths, guess.setting["pattern"]) == patients


@pytest.mark.parametrize(
    "names",
    [
        ["a/non.jpg", "b/mild_2.jpg"],
        ["a/1.png", "b/2.png"],
        ["a/IM-0115-0001.jpeg", "b/NORMAL2-IM-1427.jpeg"],
        ["case1/x.png", "case2/y.png"],  # of the class, not of what lies in it
        ["a/p1.png", "b/p2.png"],  # one image each: as well a picture's number
        ["a/patient1_x.png", "b/x.png"],  # not in every path
        ["a/patient1_x.png", "b/patient1_y.png"],  # one patient only
        ["a/subtype1.png", "b/subtype2.png"],
    ],
)
def test_what_names_no_patient_is_not_taken_for_one(names: list[str]) -> None:
    assert patients_in_names(names, below_class=True) is None
