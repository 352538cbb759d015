"""Listing a large tree tells how far it is."""

import numpy as np
import pytest

from raymed.data.intake.manifest import listing_samples
from raymed.data.intake.steps import Remark, Step
from raymed.pipeline.events import Note, Stage
from raymed.pipeline.listing import told
from tests.data.pixels.scans import write_dicom


@pytest.fixture
def tree(toy):
    """1100 DICOM files without suffixes in two classes, a patient each."""
    scan = write_dicom(toy.root / "scan", np.zeros((2, 2), np.uint16)).read_bytes()
    (toy.root / "scan").unlink()
    for number in range(1100):
        path = toy.root / f"set/{'ill' if number < 700 else 'well'}/{number}/1.2.{number}"
        path.parent.mkdir(parents=True)
        path.write_bytes(scan)
    return toy


def test_the_count_of_images_rises_while_a_tree_is_listed(tree) -> None:
    steps = [step for step in listing_samples(tree.data("set")) if isinstance(step, Step)]
    listing = [step.done for step in steps if step.name == "listing images"]
    looking = [(step.done, step.total) for step in steps if step.name == "looking into files"]
    assert listing == [500, 700, 1100]
    assert looking == [(500, 1100), (1000, 1100), (1100, 1100)]


def test_rows_of_a_manifest_that_are_folders_are_counted(tree) -> None:
    rows = [f"set/ill/{n},ill" for n in range(700)] + [
        f"set/well/{n},well" for n in range(700, 1100)
    ]
    tree.text("m.csv", "\n".join(["image,label", *rows]))
    steps = [step for step in listing_samples(tree.data("m.csv")) if isinstance(step, Step)]
    counted = [(step.done, step.total) for step in steps if step.name == "going through rows"]
    assert counted == [(500, 1100), (1000, 1100)]


def test_a_build_tells_steps_as_stages_and_remarks_as_warnings() -> None:
    def steps():
        yield Step("listing", 3)
        yield Remark("old")
        return 7

    events = told(steps())
    assert [next(events), next(events)] == [Stage("listing", 3), Note("old", warning=True)]
    with pytest.raises(StopIteration) as end:
        next(events)
    assert end.value.value == 7
