"""Episodes: as many images of every class, of as many people as there are."""

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from raymed.data.episodes import episodes

CLASSES = st.lists(st.integers(1, 40), min_size=2, max_size=5)


@given(sizes=CLASSES, each=st.integers(2, 8), seed=st.integers(0, 100))
def test_every_class_is_in_every_episode_equally(sizes: list[int], each: int, seed: int) -> None:
    labels = np.repeat(np.arange(len(sizes)), sizes)
    rows = 100 + np.arange(len(labels))
    people = np.arange(len(labels)).astype(object)

    drawn = episodes(rows, labels, people, each * len(sizes), np.random.default_rng(seed))

    assert len(drawn) == max(1, len(rows) // (each * len(sizes)))
    for episode in drawn:
        assert Counter(labels[episode - 100]) == dict.fromkeys(range(len(sizes)), each)


def test_a_class_gives_all_its_rows_before_any_a_second_time() -> None:
    labels = np.array([0] * 30 + [1] * 4)
    rows, people = np.arange(34), np.arange(34).astype(object)

    drawn = np.concatenate(episodes(rows, labels, people, 4, np.random.default_rng(0)))

    rare = drawn[labels[drawn] == 1]
    assert sorted(rare[:4]) == [30, 31, 32, 33]
    common = drawn[labels[drawn] == 0]
    assert len(set(common)) == len(common)


def test_an_episode_has_one_image_of_a_person_before_it_has_two() -> None:
    labels, rows = np.repeat([0, 1], 40), np.arange(80)
    people = np.repeat(np.arange(16), 5).astype(object)

    first = episodes(rows, labels, people, 16, np.random.default_rng(0))[0]

    assert Counter(Counter(people[first]).values()) == {1: 16}
