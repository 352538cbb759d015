"""Odd pictures are found among those of a set, and sets that are as they are stay quiet."""

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from tests.data.audit.hidden.sets import UNRELATED, unrelated
from tests.data.audit.pictures.conftest import letterboxed, lettered, textured


def brighter(image: Image.Image, times: int) -> Image.Image:
    return image.point(lambda level: min(255, level * times))


def dotted(side: int = 64) -> Image.Image:
    pixels = np.zeros((side, side), np.uint8)
    pixels[30:34, 30:34] = 90
    return Image.fromarray(pixels)


ODD = {
    "constant": (lambda image: Image.new("L", image.size, 77), "constant-images"),
    "empty": (lambda _: dotted(), "empty-images"),
    "clipped": (lambda image: brighter(image, 6), "clipped-images"),
    "odd_size": (lambda image: image.resize((200, 160)), "odd-sizes"),
    "in_colour": (lambda image: Image.merge("RGB", (image, image, dotted())), "mixed-colour"),
}


@pytest.mark.parametrize("way", ODD)
def test_what_is_odd_is_named_with_examples(way: str, phantoms, judge) -> None:
    change, name = ODD[way]
    images = [change(each) if row in (3, 50) else each for row, each in enumerate(phantoms)]

    found, faults = judge(images)

    assert faults == {name: "warning"}
    assert sorted(found["odd"][way]["examples"]) == ["s0003", "s0050"]
    assert {key: each["images"] for key, each in found["odd"].items() if each["images"]} == {way: 2}


def test_the_oddest_comes_first(phantoms, judge) -> None:
    images = [*phantoms, *(phantoms[0].resize((side, side)) for side in (200, 500, 300))]

    found, _ = judge(images)

    assert found["odd"]["odd_size"]["examples"] == ["s0081", "s0082", "s0080"]


def test_grey_ones_among_colour_are_named(phantoms, judge) -> None:
    tint = Image.new("L", phantoms[0].size, 120)
    images = [Image.merge("RGB", (each, tint, each)) if row else each
              for row, each in enumerate(phantoms)]  # fmt: skip

    found, _ = judge(images)

    assert found["odd"]["in_grey"] == {"images": 1, "examples": ["s0000"]}


def test_a_set_of_several_sizes_has_none_that_is_odd(judge) -> None:
    images = [image.resize((64 + 8 * (row % 20), 64)) for row, image in enumerate(textured(80))]

    found, _ = judge(images, labels=[row // 4 % 2 for row in range(80)])

    assert found["odd"]["odd_size"]["images"] == 0


@pytest.mark.parametrize("name", [each for each in UNRELATED if each != "dots"])
def test_ordinary_sets_stay_quiet(name: str, judge) -> None:
    images = [Image.fromarray(each) for each in unrelated(name)[:300]]

    assert judge(images)[1] == {}


def test_digits_stay_quiet_by_class(judge) -> None:
    digits = load_digits()
    images = [Image.fromarray((each * 15.9).astype(np.uint8)) for each in digits.images[:500]]

    assert judge(images, labels=digits.target[:500].tolist())[1] == {}


def test_chest_films_stay_quiet(shared_data, judge) -> None:
    with np.load(shared_data / "pneumoniamnist.npz") as films:
        images = [Image.fromarray(each) for each in films["train_images"][:1500]]
        labels = films["train_labels"][:1500].ravel().tolist()

    assert judge(images, labels=labels)[1] == {}


def test_brain_slices_stay_quiet(shared_data, judge) -> None:
    files = sorted((shared_data / "alzheimer" / "images").glob("*/*.jpg"))[::5]
    images = [Image.open(file).convert("L") for file in files]
    labels = [row > len(files) // 2 for row in range(len(files))]

    assert judge(images, labels=[int(each) for each in labels])[1] == {}


def test_letters_at_one_place_are_named_and_single_ones_are_not(phantoms, judge) -> None:
    dark = [Image.fromarray(np.asarray(each) // 2) for each in phantoms]

    def some(count: int) -> list[Image.Image]:
        return [lettered(each, "R") if row < count else each for row, each in enumerate(dark)]

    many, few = judge(some(20), labels=[row // 2 % 2 for row in range(80)]), judge(some(3))

    assert many[1] == {"burnt-in-marks": "warning"}
    marks = many[0]["marks"]
    assert marks["images"] == marks["places"][0]["people"] >= 18  # of 20: two lie on skin
    assert marks["places"][0]["box"][0] < 0.2
    assert few[1] == {}


def test_one_persons_letters_are_not_a_habit(phantoms, judge) -> None:
    images = [lettered(each, "R") if row < 20 else each for row, each in enumerate(phantoms)]
    people = ["one" if row < 20 else f"p{row}" for row in range(80)]

    assert judge(images, people=people)[0]["marks"]["images"] == 0


def test_letterboxes_in_one_class_are_told(judge) -> None:
    images = [letterboxed(each) if row % 2 else each for row, each in enumerate(textured(60))]

    found, faults = judge(images)

    assert faults == {"class-told-by-origin": "serious", "bars-by-class": "warning"}
    assert found["associations"][0]["fact"] == "bars_across"
    assert found["associations"][0]["effect"] > 0.9
