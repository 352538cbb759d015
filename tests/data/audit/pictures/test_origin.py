"""Whether the class can be told by where pictures come from, a person counting once."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from raymed.data.audit.pictures.association import associate, chance_of_table, cramers_v
from raymed.data.audit.pictures.origin import told_by_origin
from tests.data.audit.pictures.conftest import lettered, textured


def facts(classes, who=None, **columns) -> pd.DataFrame:
    """Give rows of people whose pictures are alike but for some columns."""
    alike = {"area": 8.0, "aspect": 0.0, "kind": "png", "colour": 0.0, "marked": 0.0}
    alike |= {"bars_across": 0.0, "bars_beside": 0.0, "mean": 90.0, "contrast": 20.0}
    who = np.arange(len(classes)) if who is None else who
    return pd.DataFrame({**alike, "who": who, "class": classes, **columns})


CLASSES = np.arange(60) % 3


@pytest.mark.parametrize(
    ("fact", "values"),
    [
        ("area", CLASSES.astype(float)),
        ("kind", np.array(["png", "jpeg", "bmp"])[CLASSES]),
        ("bars_beside", 0.1 * CLASSES),
    ],
)
def test_a_class_that_follows_its_origin_is_told(fact: str, values) -> None:
    told = told_by_origin(facts(CLASSES, **{fact: values}))

    assert told is not None
    assert told["skill"] == 1
    assert told["p"] == 0.01
    assert told["shuffled_labels"]["mean"] < 0.5


def test_one_class_of_several_is_enough() -> None:
    told = told_by_origin(facts(CLASSES, marked=(CLASSES == 1).astype(float)))

    assert told is not None
    assert (told["class"], told["recall"], told["false_alarms"]) == (1, 1, 0)
    assert told["balanced_accuracy"] < 0.8  # the other two are told by chance
    assert told["p"] == 0.01


def test_the_score_is_of_people_left_out() -> None:
    rng = np.random.default_rng(0)
    who = np.repeat(np.arange(30), 2)  # of two classes each; their sizes say who they are
    sizes = np.repeat(rng.normal(size=30), 2)

    told = told_by_origin(facts(np.arange(60) % 2, who, area=sizes))

    assert told is not None
    assert told["p"] > 0.05


def test_chance_is_found_as_often_as_p_says() -> None:
    rng = np.random.default_rng(1)
    found = [
        told_by_origin(facts(np.arange(24) % 2, area=rng.normal(size=24)))["p"] for _ in range(20)
    ]

    assert sum(p <= 0.05 for p in found) <= 4  # of 20; over 4 has a chance of 0.3 %
    assert max(found) > 0.5


def test_alike_pictures_and_few_people_tell_nothing() -> None:
    assert told_by_origin(facts(CLASSES)) is None
    assert told_by_origin(facts(CLASSES[:12], area=CLASSES[:12].astype(float))) is None


def test_the_mean_level_of_grey_is_shown_and_not_judged(judge) -> None:
    images = [image.point(lambda level, row=row: level - 50 * (row % 2))
              for row, image in enumerate(textured(60))]  # fmt: skip

    found, faults = judge(images)

    assert faults == {}
    assert found["associations"][0]["fact"] == "mean"
    assert not found["associations"][0]["origin"]
    assert found["associations"][0]["p_adjusted"] < 1e-6


def test_a_persons_pictures_count_once(judge) -> None:
    images = [image.resize((64 + 4 * (row % 5), 64)) for row, image in enumerate(textured(60))]
    labels = [row % 2 for row in range(60)]
    people = [f"p{row}" for row in range(60)]

    once, _ = judge(images, labels, people)
    again, _ = judge([*images, *images], [*labels, *labels], [*people, *people])

    assert again["associations"] == once["associations"]
    assert again["told_by_origin"] == once["told_by_origin"]


def test_the_test_split_takes_no_part(judge) -> None:
    split = ["train"] * 60 + ["test"] * 20
    plain = textured(80)
    sized = [image.resize((128, 128)) if row >= 60 and row % 2 else image
             for row, image in enumerate(plain)]  # fmt: skip

    assert judge(sized, split=split)[0]["told_by_origin"] is None
    groups = {row["group"] for row in judge(sized, split=split)[0]["distributions"]}
    assert groups == {"c0", "c1", "train", "test"}


def test_letters_in_one_class_are_serious(phantoms, judge) -> None:
    dark = [image.point(lambda level: level // 2) for image in phantoms]
    images = [lettered(each, "R") if row % 2 else each for row, each in enumerate(dark)]

    _, faults = judge(images)

    assert faults == {"burnt-in-marks": "warning", "class-told-by-origin": "serious"}


TABLE = st.lists(st.lists(st.integers(0, 30), min_size=3, max_size=3), min_size=2, max_size=4)


@given(TABLE)
def test_cramers_v_lies_between_0_and_1_and_knows_no_order(table) -> None:
    counts = np.array(table)

    found = cramers_v(counts)

    assert 0 <= found <= 1
    assert cramers_v(counts.T) == pytest.approx(found)
    assert cramers_v(counts[::-1]) == pytest.approx(found)


def test_cramers_v_of_independent_and_of_equal_things() -> None:
    rng = np.random.default_rng(0)
    free = [cramers_v(rng.multinomial(60, np.full(12, 1 / 12)).reshape(4, 3)) for _ in range(200)]

    assert cramers_v(np.diag([20, 30, 10])) == pytest.approx(1)
    assert np.mean(free) < 0.1  # uncorrected it is about (6 / 60 / 2) ** 0.5 = 0.22
    large = rng.multinomial(10**6, [0.3, 0.2, 0.1, 0.4]).reshape(2, 2)
    assert cramers_v(large) == pytest.approx(stats.contingency.association(large), abs=1e-3)


def test_the_chance_of_a_table_is_that_of_a_permutation_test() -> None:
    counts = np.array([[9, 4, 3], [3, 8, 5]])
    rows, columns = (np.repeat(np.indices(counts.shape)[axis], counts.ravel()) for axis in (0, 1))
    rng = np.random.default_rng(0)

    def statistic(shuffled: np.ndarray) -> float:
        crossed = np.zeros_like(counts)
        np.add.at(crossed, (rows, shuffled), 1)
        return float(stats.chi2_contingency(crossed, correction=False).statistic)

    least = statistic(columns) - 1e-9
    expected = np.mean([statistic(rng.permutation(columns)) >= least for _ in range(2000)])

    assert chance_of_table(counts) == pytest.approx(expected, abs=0.03)


@given(st.lists(st.integers(-50, 50), min_size=12, max_size=12, unique=True))
def test_numbers_are_told_by_their_ranks_alone(values) -> None:
    classes = np.arange(12) % 3
    plain = associate(pd.Series(values, dtype=float), classes)
    bent = associate(pd.Series(values, dtype=float) ** 3, classes)

    assert plain == bent
    assert plain is not None
    assert 0 <= plain["effect"] <= 1


def test_classes_apart_in_rank_explain_nearly_all() -> None:
    apart = associate(pd.Series(np.arange(90.0)), np.repeat([0, 1, 2], 30))

    assert apart is not None
    assert apart["effect"] > 0.85
    assert apart["p"] < 1e-10
    assert associate(pd.Series(np.ones(9)), np.arange(9) % 3) is None
