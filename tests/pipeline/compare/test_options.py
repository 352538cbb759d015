"""Parts of a recipe compared on real, tiny models; and what they add to the stack."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from raymed.config import Experiment
from raymed.pipeline.build import Built
from raymed.pipeline.compare import Compared, compare

Make = Callable[..., Experiment]
TECHNIQUES = (
    *("evidential", "prototypical", "triplet", "center", "mixup"),
    *("cosine", "squeeze_excite", "ordinal"),
)
SMALL = (
    f"compare.techniques=[{', '.join(TECHNIQUES)}, ensemble]",
    "recipes.cnn.batch_size=32",
    "recipes.cnn.phases=[{epochs: 2, lr: 2e-3}]",
    # A fold learns from four images of each class: two are the support of an episode.
    "recipes.nearest={model: test_resnet, batch_size: 32, phases: [{epochs: 2, lr: 2e-3}], "
    "head: {kind: prototypical, shots: 2}}",
    "ensemble.meta_learners=[mean, greedy]",
)


@pytest.fixture(scope="module")
def compared(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Compared:
    """The tiny experiment, a model for every option."""
    folder = tmp_path_factory.mktemp("options") / "run"
    return compare(make(*SMALL), folder, sharpness=False)


def of(compared: Compared, part: str, technique: str) -> list[dict[str, Any]]:
    return [row for row in compared.comparison[part] if row["technique"] == technique]


def test_every_technique_is_compared_with_the_recipe_without_it(compared: Compared) -> None:
    assert compared.failed == {}
    assert compared.comparison["left_out"] == []
    for technique in TECHNIQUES:
        first, *others = of(compared, "rows", technique)
        assert first["recipe"] == "cnn"
        assert others
        assert all(row["gain"]["log_loss"]["p_holm"] <= 1 for row in others)
    mixed = [row["choice"] for row in of(compared, "rows", "mixup")]
    assert mixed == ["without mixup", "manifold mixup", "input mixup", "cutmix"]


def test_the_stack_is_fitted_with_and_without_the_members_of_each_technique(
    compared: Compared,
) -> None:
    whole = next(row for row in compared.comparison["rows"] if row["choice"] == "stack")
    sizes = {}
    for technique in TECHNIQUES:
        without, with_it = of(compared, "stacks", technique)
        assert with_it["oof"] == whole["oof"]
        loss, other = (row["oof"]["log_loss"]["value"] for row in (with_it, without))
        assert with_it["gain"]["log_loss"]["value"] == pytest.approx(other - loss)
        assert without["size"] < with_it["size"]
        sizes[technique] = with_it["size"] - without["size"]
    assert sizes == dict.fromkeys(TECHNIQUES, 1) | {"mixup": 3, "ordinal": 2}
    assert of(compared, "stacks", "cosine")[1]["users"] == "cnn with cosine head"


def test_the_table_ends_with_the_stacks(compared: Compared) -> None:
    table = pd.read_csv(compared.run.comparison_folder / "comparison.csv")

    last = table.tail(2 * len(TECHNIQUES))
    assert last["choice"].tolist() == ["stack without", "stack with"] * len(TECHNIQUES)
    assert last["technique"].tolist() == [each for each in TECHNIQUES for _ in range(2)]
    assert last["verdict"].notna().sum() == len(TECHNIQUES)


def test_episodes_that_the_data_cannot_fill_are_left_out_and_the_comparison_goes_on(
    make: Make, built: Built, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    shutil.copytree(built.run.path, run)

    found = compare(make("compare.techniques=[prototypical]"), run, sharpness=False).comparison

    assert [row["choice"] for row in found["rows"]] == ["linear head"]
    (left_out,) = found["left_out"]
    assert left_out["name"] == "prototypical head"
    assert "5 and a query are more than the 4 images of each of 4 classes" in left_out["reason"]


@pytest.mark.slow
def test_a_backbone_that_weighs_channels_already_leaves_the_blocks_out(
    make: Make, tmp_path: Path
) -> None:
    own = ("recipes.cnn.model=test_efficientnet", "compare.techniques=[squeeze_excite]")

    found = compare(make(*own), tmp_path / "run", sharpness=False).comparison

    assert [row["choice"] for row in found["rows"]] == ["without squeeze-excite"]
    (left_out,) = found["left_out"]
    assert left_out["name"] == "squeeze-excite"
    assert left_out["reason"].startswith("cannot be built: EfficientNet has such blocks already")
    assert found["stacks"] == []
