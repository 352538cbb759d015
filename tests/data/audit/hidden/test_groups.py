"""Hidden groups are found with a threshold of their own, and none where there are none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.metrics import adjusted_rand_score

from raymed.data.audit.hidden import find_groups, moved, neighbours
from raymed.data.phantom import draw_phantoms
from tests.data.audit.hidden.sets import UNRELATED, changed, clouds, resized, unrelated


@pytest.mark.parametrize("name", UNRELATED)
def test_unrelated_images_are_not_grouped(name: str) -> None:
    pictures = unrelated(name)

    found = find_groups(pictures)

    assert (found.people, found.threshold) == (0, None)
    assert (found.group == found.copies).all()


@pytest.mark.parametrize(
    ("people", "slices"),
    [
        (72, 4),
        pytest.param(150, 3, marks=pytest.mark.slow),
        pytest.param(60, 10, marks=pytest.mark.slow),
        pytest.param(20, 40, marks=pytest.mark.slow),
    ],
)
def test_neighbouring_slices_show_their_patients(people: int, slices: int) -> None:
    phantoms = draw_phantoms(people, slices)

    found = find_groups(phantoms.images)

    assert adjusted_rand_score(phantoms.patients, found.group) >= 0.99
    assert found.found == people
    assert found.confidence is not None
    assert found.confidence > 0.99


@pytest.mark.parametrize("how", ["JPEG", "mirrored", "a quarter turn", "brighter", "rescaled"])
@pytest.mark.parametrize(
    "name", [pytest.param("phantoms, one slice", marks=pytest.mark.slow), "digits"]
)
def test_a_twentieth_of_copies_is_found_and_nothing_else(name: str, how: str) -> None:
    if (name, how) == ("digits", "a quarter turn"):
        pytest.skip("some digits are others on their side")
    pictures = unrelated(name)[:400]
    rng = np.random.default_rng(0)
    originals = rng.choice(len(pictures), len(pictures) // 20, replace=False)
    copies = np.stack([changed(pictures[each], how, rng) for each in originals])

    found = find_groups(np.concatenate([pictures, copies]))

    right = found.group[len(pictures) :] == originals
    assert right.mean() >= 0.95
    assert found.found == right.sum()


@pytest.mark.parametrize("how", ["turned", "shifted", "larger", "several things at once"])
def test_copies_that_were_moved_a_little_are_found(how: str) -> None:
    pictures = unrelated("digits")[:200]
    rng = np.random.default_rng(1)
    originals = rng.choice(len(pictures), 20, replace=False)
    copies = np.stack([changed(pictures[each], how, rng) for each in originals])

    found = find_groups(np.concatenate([pictures, copies]))

    right = found.group[len(pictures) :] == originals
    assert right.mean() >= 0.9
    assert found.found == right.sum()


def test_groups_of_unequal_size_among_images_alone_are_found() -> None:
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(300), np.r_[rng.integers(2, 25, 40), np.ones(260, int)])
    own = clouds(len(people), 1.5, seed=4)
    pictures = resized(clouds(300, 1.5)[people] + 0.25 * (own - 128))

    found = find_groups(pictures)

    assert adjusted_rand_score(people, found.group) >= 0.99
    assert found.found == 40


def test_colour_and_other_sizes_make_no_difference() -> None:
    phantoms = draw_phantoms(60, 6, size=48)
    grey = find_groups(phantoms.images)

    coloured = find_groups(np.repeat(phantoms.images[..., None], 3, axis=-1))

    assert adjusted_rand_score(phantoms.patients, grey.group) >= 0.99
    assert coloured.group.tolist() == grey.group.tolist()


def test_equal_images_are_one_group_and_black_ones_are_not() -> None:
    pictures = draw_phantoms(72, 1).images.copy()
    pictures[[7, 9]] = pictures[3]
    pictures[[20, 30]] = 0

    found = find_groups(pictures)

    assert found.group[[3, 7, 9]].tolist() == [3, 3, 3]
    assert (found.found, found.people) == (1, 0)


def test_a_handful_of_images_says_nothing_of_strangers() -> None:
    found = find_groups(draw_phantoms(4, 3).images)

    assert (found.found, found.threshold, found.histogram) == (0, None, None)


def test_the_same_images_give_the_same_groups_in_any_order() -> None:
    pictures = draw_phantoms(40, 5).images
    order = np.random.default_rng(0).permutation(len(pictures))

    first, other = find_groups(pictures), find_groups(pictures[order])

    assert find_groups(pictures).group.tolist() == first.group.tolist()
    assert adjusted_rand_score(first.group[order], other.group) == 1


@pytest.mark.slow
def test_the_two_hundred_people_behind_the_alzheimer_images_are_found(shared_data: Path) -> None:
    folder = shared_data / "alzheimer"
    people = pd.read_csv(folder / "subjects_recovered.csv")
    opened = (Image.open(folder / "images" / file) for file in people["file"])
    pictures = np.stack([np.asarray(image.convert("L").resize((64, 64))) for image in opened])

    found = find_groups(pictures)

    assert adjusted_rand_score(people["subject"], found.group) >= 0.99
    assert found.found == 200


@pytest.mark.slow
def test_the_copies_among_chest_films_are_found_and_no_people(shared_data: Path) -> None:
    with np.load(shared_data / "pneumoniamnist.npz") as arrays:
        parts = [arrays[f"{part}_images"] for part in ("train", "val", "test")]
    pictures = np.concatenate(parts)

    found = find_groups(resized(pictures))

    assert (found.found, found.people) == (27, 0)


def test_searching_by_cells_finds_what_comparing_all_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    phantoms = draw_phantoms(100, 5, size=48)
    monkeypatch.setattr(neighbours, "EXACT", 300)
    monkeypatch.setattr(neighbours, "_REFERENCES", 300)
    monkeypatch.setattr(moved, "EXACT", 300)

    found = find_groups(phantoms.images)

    assert adjusted_rand_score(phantoms.patients, found.group) >= 0.99
    assert find_groups(phantoms.images).group.tolist() == found.group.tolist()
