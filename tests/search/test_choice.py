"""The choice of members is greedy, diverse and always the same."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from raymed.errors import InputError
from raymed.search import choose_diverse

Labels = npt.NDArray[np.int64]
LABELS: Labels = np.ones(4, dtype=np.int64)
PATIENTS = np.array(["a", "b", "c", "d"])


def member(*own: float) -> npt.NDArray[np.float64]:
    return np.array([[1 - p, p] for p in own])


def test_the_best_single_is_first_and_what_repairs_it_second() -> None:
    oof = {
        0: member(0.9, 0.9, 0.3, 0.9),
        1: member(0.9, 0.9, 0.29, 0.9),  # nearly as good, but wrong where 0 is
        2: member(0.6, 0.6, 0.9, 0.6),  # worse alone, right there
    }

    assert choose_diverse(oof, LABELS, PATIENTS, 2) == [0, 2]
    assert choose_diverse(oof, LABELS, PATIENTS, 5) == [0, 2, 1]


def test_of_equals_the_better_single_goes_first_then_the_earlier() -> None:
    twins = {7: member(0.8, 0.7, 0.6, 0.9), 3: member(0.8, 0.7, 0.6, 0.9)}

    assert choose_diverse(twins, LABELS, PATIENTS, 2) == [3, 7]


def test_a_patient_with_many_images_counts_once() -> None:
    labels = np.ones(6, dtype=np.int64)
    patients = np.array(["a", "a", "a", "a", "b", "c"])
    oof = {0: member(0.9, 0.9, 0.9, 0.9, 0.5, 0.5), 1: member(0.5, 0.5, 0.5, 0.5, 0.8, 0.8)}

    assert choose_diverse(oof, labels, patients, 1) == [1]


def test_nothing_to_choose_from_is_told() -> None:
    with pytest.raises(InputError, match="no trial is complete"):
        choose_diverse({}, LABELS, PATIENTS, 3)


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(1, 8))
def test_each_is_chosen_once_and_fewer_are_the_beginning_of_more(
    seed: int, members: int, count: int
) -> None:
    rng = np.random.default_rng(seed)
    labels, patients = rng.integers(0, 3, 20), rng.integers(0, 6, 20).astype(str)
    oof = {number: rng.dirichlet([1, 1, 1], 20) for number in range(members)}

    chosen = choose_diverse(oof, labels, patients, count)

    assert len(set(chosen)) == len(chosen) == min(count, members)
    assert choose_diverse(dict(reversed(oof.items())), labels, patients, count) == chosen
    assert choose_diverse(oof, labels, patients, members)[:count] == chosen


@given(st.integers(0, 2**32 - 1))
def test_the_order_of_rows_does_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    labels, patients = rng.integers(0, 3, 20), rng.integers(0, 6, 20).astype(str)
    oof = {number: rng.dirichlet([1, 1, 1], 20) for number in range(4)}
    order = rng.permutation(20)
    shuffled = {number: rows[order] for number, rows in oof.items()}

    again = choose_diverse(shuffled, labels[order], patients[order], 3)
    assert again == choose_diverse(oof, labels, patients, 3)
