"""What folders between a source and its images mean."""

from itertools import product

import pytest

from raymed.data.proposal.levels import Levels, tell_levels

CLASSES = ("none", "mild", "severe")
PEOPLE = tuple(f"p{number:02}" for number in range(8))
IDS = tuple(f"{number:04}" for number in range(8))


def crossed(*levels: tuple[str, ...]) -> list[tuple[str, ...]]:
    return list(product(*levels))


@pytest.mark.parametrize(
    ("folders", "levels"),
    [
        (crossed(CLASSES), Levels(0)),
        (crossed(CLASSES, PEOPLE), Levels(0, patient=1)),
        (crossed(PEOPLE, CLASSES), Levels(1, patient=0)),
        (crossed(CLASSES, IDS), Levels(0, patient=1)),
        (crossed(IDS, CLASSES), Levels(1, patient=0)),
        (crossed(("0", "1", "2"), IDS), Levels(0, patient=1)),
        (crossed(("train", "test"), CLASSES), Levels(1, split=0)),
        (crossed(CLASSES, ("train", "val")), Levels(0, split=1)),
        (crossed(("Training", "Testing"), CLASSES, PEOPLE), Levels(1, patient=2, split=0)),
        (crossed(("images",), CLASSES), Levels(1)),
        (crossed(CLASSES, ("images",), PEOPLE), Levels(0, patient=2)),
        (crossed(CLASSES, ("left", "right")), Levels(0)),
        (crossed(CLASSES, ("scanner1", "scanner2")), Levels(0)),
        (crossed(PEOPLE, ("ses-1", "ses-2"), CLASSES), Levels(2, patient=0)),
    ],
)
def test_levels_are_told(folders: list[tuple[str, ...]], levels: Levels) -> None:
    assert tell_levels(folders) == levels


@pytest.mark.parametrize(
    "folders",
    [
        [],
        [()],
        crossed(("images",)),
        crossed(PEOPLE),
        crossed(PEOPLE, ("ses-1", "ses-2")),
        crossed(("left", "right")),
        crossed(tuple(f"I{number}" for number in range(40))),  # people without a word for them
        [("p1", "scan_of_may"), ("p2", "last_scan")],  # what does not recur is no class
    ],
)
def test_where_no_level_can_be_classes_nothing_is_told(folders: list[tuple[str, ...]]) -> None:
    assert tell_levels(folders) is None


def test_a_level_that_some_images_lack_means_nothing() -> None:
    assert tell_levels([("a",), ("b", "p1"), ("b", "p2")]) == Levels(0)
