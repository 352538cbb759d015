"""Pictures of augmented samples: of training alone, drawn once, and only where they are wanted."""

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from raymed.config import Experiment
from raymed.data import Folds, Manifest, image_file
from raymed.data.arrays import open_array
from raymed.data.folds import TEST
from raymed.pipeline.augmented import draw_augmented
from raymed.pipeline.build import Built
from raymed.pipeline.events import Stage
from raymed.pipeline.members import Member
from raymed.pipeline.prepare import Prepared
from raymed.runs import RunFolder

Make = Callable[..., Experiment]


@pytest.fixture
def run(built: Built, tmp_path: Path) -> RunFolder:
    """A copy of the finished run, to change."""
    shutil.copytree(built.run.path, tmp_path / "run")
    return RunFolder.existing(tmp_path / "run")


def drawn(make: Make, run: RunFolder, *overrides: str, **recipes: str) -> list[str]:
    """Draw for the tiny experiment's members, and for `recipes`: copies of its CNN by name."""
    experiment = make(*overrides)
    prepared = Prepared(Manifest.read(run.manifest_file), Folds.read(run.folds_file))
    members = [
        Member(name, recipe, run.member(name)) for name, recipe in experiment.recipes.items()
    ]
    for name, augmentation in recipes.items():
        other = make(f"recipes.cnn.augmentation={augmentation}").recipes["cnn"]
        members.append(Member(name, other, run.member(name)))
    events = draw_augmented(experiment, run, members, prepared)
    return [each.name for each in events if isinstance(each, Stage)]


def rows(run: RunFolder) -> list[dict[str, Any]]:
    stored: list[dict[str, Any]] = pq.read_table(run.augmented_file).to_pylist()
    return stored


def test_a_build_draws_a_training_sample_of_each_class_and_no_probe(
    built: Built, make: Make
) -> None:
    manifest, folds = Manifest.read(built.run.manifest_file), Folds.read(built.run.folds_file)
    pixels = open_array(image_file(make().cluster.cache_folder, manifest, 32))
    place = {name: row for row, name in enumerate(manifest.table["sample_id"])}
    found = rows(built.run)

    assert [row["label"] for row in found] == list(manifest.classes)[:4]
    for row in found:
        at = place[row["sample_id"]]
        assert row["members"] == ["cnn"]  # a probe sees features, nothing augmented
        assert folds.fold[at] != TEST
        plain, *draws = (np.asarray(Image.open(io.BytesIO(each))) for each in row["images"])
        assert np.array_equal(plain, pixels[at])
        assert len({draw.tobytes() for draw in draws} - {plain.tobytes()}) == 5


def test_members_that_augment_alike_share_their_rows(make: Make, run: RunFolder) -> None:
    drawn(make, run, twin="{}", other="mri", still="none")
    found = {tuple(row["members"]) for row in rows(run)}
    assert found == {("cnn", "twin"), ("other",)}


def test_they_are_drawn_once_and_again_for_other_recipes(make: Make, run: RunFolder) -> None:
    assert drawn(make, run) == []
    assert drawn(make, run, other="mri") == ["drawing augmented samples"]
    before = run.augmented_file.read_bytes()
    assert drawn(make, run, other="mri") == []
    run.augmented_file.write_text("broken")
    assert drawn(make, run, other="mri") == ["drawing augmented samples"]
    assert run.augmented_file.read_bytes() == before


@pytest.mark.parametrize("override", ["evaluate.gallery=0", "recipes.cnn.augmentation=none"])
def test_where_none_are_wanted_the_file_goes(make: Make, run: RunFolder, override: str) -> None:
    assert run.augmented_file.is_file()
    assert drawn(make, run, override) == []
    assert not run.augmented_file.exists()
