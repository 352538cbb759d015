"""The test split: drawn by patient, about as large as asked, of every class."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from raymed.data import draw_test_split
from raymed.errors import InputError


def cohort(manifest_of, people_of_class: tuple[int, ...], slices: int = 3):
    classes = [label for label, people in enumerate(people_of_class) for _ in range(people)]
    labels = [label for label in classes for _ in range(slices)]
    return manifest_of(labels, [f"p{row // slices}" for row in range(len(labels))])


def people_in_test(manifest) -> dict[int, int]:
    """How many patients of each class lie in the test split."""
    table = manifest.table[manifest.is_test]
    return table.groupby("label")["patient"].nunique().to_dict()


@settings(max_examples=30, deadline=None)
@given(
    people=st.lists(st.integers(1, 20), min_size=2, max_size=4),
    share=st.floats(0.05, 0.85),
    seed=st.integers(0, 99),
)
def test_a_patient_is_tested_or_trained_on_and_every_class_is_trained_on(
    manifest_of, toy_data, people, share: float, seed: int
) -> None:
    manifest = cohort(manifest_of, tuple(people))
    data = toy_data(test={"share": share})
    if all(count == 1 or count * share < 0.5 for count in people):
        with pytest.raises(InputError, match="leaves no patient to test on"):
            draw_test_split(manifest, data, seed)
        return
    drawn = draw_test_split(manifest, data, seed)
    train, test = drawn.table[~drawn.is_test], drawn.table[drawn.is_test]
    assert not set(train["patient"]) & set(test["patient"])
    assert set(train["label"]) == set(range(len(people)))
    for label, count in enumerate(people):
        tested = test[test["label"] == label]["patient"].nunique()
        assert abs(tested - count * share) <= 0.5 or tested == count - 1


def test_the_share_is_kept_in_each_class(manifest_of, toy_data) -> None:
    drawn = draw_test_split(cohort(manifest_of, (50, 30, 10)), toy_data(test={"share": 0.2}), 0)
    assert people_in_test(drawn) == {0: 10, 1: 6, 2: 2}


def test_the_only_patient_of_a_class_is_trained_on(manifest_of, toy_data) -> None:
    drawn = draw_test_split(cohort(manifest_of, (10, 1)), toy_data(test={"share": 0.6}), 0)
    assert people_in_test(drawn) == {0: 6}


def test_a_patients_class_is_that_of_most_samples(manifest_of, toy_data) -> None:
    # Ten patients with 2 : 1 slices of class 0, ten with 1 : 2: five of each are tested.
    labels = [0, 0, 1] * 10 + [0, 1, 1] * 10
    manifest = manifest_of(labels, [f"p{row // 3}" for row in range(60)])
    drawn = draw_test_split(manifest, toy_data(test={"share": 0.5}), 0)
    tested = {int(name[1:]) for name in drawn.table[drawn.is_test]["patient"]}
    assert sum(person < 10 for person in tested) == 5
    assert sum(person >= 10 for person in tested) == 5


def test_the_seed_decides_who_is_tested(manifest_of, toy_data) -> None:
    manifest = cohort(manifest_of, (30, 30))
    first, again, other = (
        draw_test_split(manifest, toy_data(test={"share": 0.3}), seed).is_test for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_drawing_changes_the_content_and_not_the_original(manifest_of, toy_data) -> None:
    manifest = cohort(manifest_of, (30, 30))
    drawn = draw_test_split(manifest, toy_data(test={"share": 0.3}), 0)
    assert not manifest.is_test.any()
    assert drawn.content != manifest.content


def test_without_a_share_the_manifest_stays(manifest_of, toy_data) -> None:
    manifest = cohort(manifest_of, (3, 3))
    assert draw_test_split(manifest, toy_data(), 0) is manifest


def test_a_share_beside_the_manifests_own_split_is_refused(manifest_of, toy_data) -> None:
    manifest = manifest_of([0, 1, 0], ["p0", "p1", "p2"], split=["train", "train", "test"])
    with pytest.raises(InputError, match=r"has a test split of its own; remove data\.test\.share"):
        draw_test_split(manifest, toy_data(test={"share": 0.3}), 0)


def test_a_share_that_rounds_to_nobody_is_refused(manifest_of, toy_data) -> None:
    with pytest.raises(InputError, match=r"data\.test\.share: 0\.05 leaves no patient"):
        draw_test_split(cohort(manifest_of, (4, 4)), toy_data(test={"share": 0.05}), 0)
