"""Every option of a recipe as a member of a real build."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from raymed.config import Experiment
from raymed.errors import InputError
from raymed.pipeline.build import Built, build
from raymed.pipeline.members import plan_members
from raymed.pipeline.prepare import prepare
from raymed.predict import load_stack
from raymed.runs import RunFolder
from raymed.stories import result_of

Make = Callable[..., Experiment]
MEMBERS: dict[str, dict[str, Any]] = {
    "plain": {},
    "evidential": {"evidential": {"anneal": 2}},
    "prototypical": {"head": {"kind": "prototypical", "shots": 2, "embedding_dim": 8}},
    "triplet": {"triplet": {}},
    "center": {"center": {}},
    "mixup": {"mixup": {}},
    "cosine": {"head": "cosine"},
    "blocks": {"squeeze_excite": {"reduction": 4}},
    "smoothed": {"ordinal_smoothing": {}},
    "corn": {"head": "corn"},
}


def recipes() -> str:
    common = {"model": "test_resnet", "phases": [{"epochs": 2, "lr": 2e-3}]}
    return json.dumps({name: {**common, **own} for name, own in MEMBERS.items()})


@pytest.fixture(scope="module")
def all_built(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("options") / "run"
    return build(make(f"recipes={recipes()}", "data.test=null"), folder)


def oof(built: Built) -> pa.Table:
    with pa.ipc.open_file(built.run.oof_file) as file:
        return file.read_all()


@pytest.mark.slow
def test_every_option_trains_as_a_member(all_built: Built) -> None:
    assert not all_built.failed
    assert set(json.loads(oof(all_built).schema.metadata[b"members"]).values()) == set(MEMBERS)


@pytest.mark.slow
def test_the_oof_table_holds_what_the_evidential_member_believes(all_built: Built) -> None:
    table = oof(all_built)
    names = json.loads(table.schema.metadata[b"members"])
    own = pa.array([names[each] == "evidential" for each in table["member"].to_pylist()])
    of_others, of_it = table.filter(pa.compute.invert(own)), table.filter(own)

    assert of_others["extras"].null_count == len(of_others)
    extras = of_it["extras"].to_pylist()
    logits = np.array(of_it["logits"].to_pylist())
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    assert np.allclose([each["expected"] for each in extras], expected, atol=1e-6)
    total = [sum(each["belief"]) + each["uncertainty"] for each in extras]
    assert np.allclose(total, 1, atol=1e-6)


@pytest.mark.slow
def test_the_stack_of_all_of_them_predicts(all_built: Built, phantoms: Path) -> None:
    images = sorted((phantoms / "phantom").rglob("*.png"))[:4]

    found = load_stack(all_built.run.path).predict(images)

    chances = found.filter(like="probability_")
    assert len(found) == 4
    assert np.isfinite(chances).to_numpy().all()


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"shots": 4}, "batch of 16"),
        ({"shots": 40, "batch": 400}, "images of class"),
    ],
)
def test_episodes_that_the_data_cannot_fill_are_refused_before_training(
    make: Make, tmp_path: Path, changes: dict[str, int], fault: str
) -> None:
    experiment = make(
        f"recipes.cnn.head={{kind: prototypical, shots: {changes['shots']}}}",
        f"recipes.cnn.batch_size={changes.get('batch', 16)}",
    )
    run = RunFolder(tmp_path / "run")
    prepared = result_of(prepare(experiment, run))

    with pytest.raises(InputError, match=fault) as caught:
        plan_members(experiment, run, prepared)

    assert caught.value.place == "recipes.cnn.head.shots"
