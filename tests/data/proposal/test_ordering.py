"""The order that class names say."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.data.phantom import STAGES
from raymed.data.proposal import order_classes

ORDERED = [
    ["Non_Demented", "Very_Mild_Demented", "Mild_Demented", "Moderate_Demented"],
    ["NonDemented", "VeryMildDemented", "MildDemented", "ModerateDemented"],
    ["Nondemented", "Mild demented", "Severe demented"],
    ["No_DR", "Mild", "Moderate", "Severe", "Proliferate_DR"],
    ["CN", "EMCI", "LMCI", "AD"],
    ["0_normal", "1_mild", "2_severe"],
    ["0", "1", "2", "3", "4"],
    ["2", "9", "10"],
    ["grade 0", "grade 1", "grade 2", "grade 10"],
    ["KL0", "KL1", "KL2"],
    ["cdr0", "cdr0.5", "cdr1"],
    ["Stage I", "Stage II", "Stage IIIA", "Stage IIIB", "Stage IV"],
    ["BI-RADS 2", "BI-RADS 4", "BI-RADS 5"],
    list(STAGES),
]


@given(data=st.data())
@pytest.mark.parametrize("names", ORDERED, ids=lambda names: names[-1])
def test_names_that_say_stages_are_ordinal_in_that_order(
    names: list[str], data: st.DataObject
) -> None:
    told = order_classes(data.draw(st.permutations(names)))

    assert (list(told.classes), told.ordinal) == (names, True)


@pytest.mark.parametrize(
    "names",
    [
        ["akiec", "bcc", "mel"],
        ["class 0", "class 1", "class 2"],
        ["mild cat", "severe dog", "moderate bird"],  # of three things
        ["mild", "Mild_", "severe"],  # two say the same
        ["glioma", "meningioma", "pituitary"],
        ["3", "x", "1"],
        ["grade 1", "stage 2", "mild"],
    ],
)
def test_other_names_are_sorted_and_not_ordinal(names: list[str]) -> None:
    told = order_classes(names)

    assert not told.ordinal
    assert sorted(told.classes) == sorted(names)


@pytest.mark.parametrize(
    ("names", "well"),
    [
        (["PNEUMONIA", "NORMAL"], "NORMAL"),
        (["bacteria", "normal", "virus"], "normal"),
        (["Healthy", "Advanced glaucoma"], "Healthy"),
        (["COVID", "No finding", "Viral"], "No finding"),
    ],
)
def test_the_healthy_come_first(names: list[str], well: str) -> None:
    told = order_classes(names)

    assert (told.classes[0], told.well, told.ordinal) == (well, well, False)


def test_two_classes_are_ordered_but_never_ordinal() -> None:
    told = order_classes(["severe", "mild"])

    assert (told.classes, told.ordinal, told.well) == (("mild", "severe"), False, None)


def test_numbers_that_only_index_classes_are_no_grades() -> None:
    told = order_classes(["2", "0", "1", "10"], codes=True)

    assert (told.classes, told.ordinal, told.well) == (("0", "1", "2", "10"), False, None)


@given(st.lists(st.text(max_size=12), min_size=1, max_size=8, unique=True))
def test_no_class_is_lost_or_made_up(names: list[str]) -> None:
    assert sorted(order_classes(names).classes) == sorted(names)
