"""Members fit the set, the machine and the weights; all of them can be read and built."""

from pathlib import Path
from typing import Any

import pytest
import timm
import yaml
from hypothesis import given
from hypothesis import strategies as st

from raymed.config import Experiment, parse_experiment
from raymed.pipeline.proposing.entries import content_of, write_entries
from raymed.pipeline.proposing.machine import Machine
from raymed.pipeline.proposing.members import SetSize, choose_members, models_to_look_for
from raymed.pipeline.proposing.weights import Where

GIB = 2**30
LAPTOP = Machine(2, (), 16 * GIB, GIB)
STATION = Machine(16, ("H100",), 64 * GIB, GIB)
DATA = {"source": "scans", "patients": "none"}
SIZES = st.builds(
    SetSize,
    images=st.integers(4, 10**6),
    people=st.integers(4, 10**5),
    folds=st.integers(2, 5),
    side=st.integers(8, 4000),
)


def chosen(size: SetSize, machine: Machine, where: Where) -> Experiment:
    weights = dict.fromkeys(models_to_look_for(machine), where)
    parts = choose_members(size, machine, weights)
    content = {"name": "x", "data": DATA, **content_of(parts)}
    assert yaml.safe_load(write_entries(parts, "head")) == content_of(parts)
    return parse_experiment(content, Path(), "x.yaml")


@given(SIZES, st.sampled_from([LAPTOP, STATION]), st.sampled_from(["cache", "hub", "nowhere"]))
def test_what_is_chosen_is_an_experiment_of_models_that_timm_knows(
    size: SetSize, machine: Machine, where: Where
) -> None:
    for recipe in chosen(size, machine, where).recipes.values():
        assert timm.is_model(recipe.model)
        assert recipe.size % 32 == 0
        assert 32 <= recipe.size <= 224
        assert 2 * recipe.batch_size <= max(4, size.learned_from)
        assert (recipe.pretrained.source == "none") == (where == "nowhere")


def test_without_weights_nothing_is_probed() -> None:
    made = chosen(SetSize(6400, 200, 5, 128), LAPTOP, "nowhere")

    assert not any(recipe.is_probe for recipe in made.recipes.values())
    assert len(made.recipes) > 1


@pytest.mark.parametrize(
    ("people", "names"),
    [
        (20, ["probe-mobilenetv2", "probe-lite0"]),
        (200, ["probe-mobilenetv2", "probe-lite0", "tuned-mobilenetv2"]),
        (900, ["probe-mobilenetv2", "probe-lite0", "tuned-mobilenetv2", "sam-mobilenetv2"]),
    ],
)
def test_more_people_more_members(people: int, names: list[str]) -> None:
    made = chosen(SetSize(people, people, 5, 200), LAPTOP, "cache")

    assert list(made.recipes) == names


def test_a_gpu_takes_larger_models_and_images() -> None:
    size = SetSize(20_000, 2_000, 5, 512)
    small, large = chosen(size, LAPTOP, "hub"), chosen(size, STATION, "hub")

    assert small.recipes["tuned-mobilenetv2"].size == 96
    assert large.recipes["tuned-convnext"].size == 224
    assert large.recipes["tuned-convnext"].precision == "bf16"


def test_many_images_of_each_person_are_drawn_from() -> None:
    made = chosen(SetSize(6400, 200, 5, 128), LAPTOP, "cache")

    assert made.recipes["tuned-mobilenetv2"].samples_per_patient == 8
    assert made.recipes["probe-lite0"].samples_per_patient is None
    few = chosen(SetSize(400, 200, 5, 128), LAPTOP, "cache")
    assert few.recipes["tuned-mobilenetv2"].samples_per_patient is None


def test_the_better_member_in_the_comment_is_one_as_it_stands() -> None:
    defaults, recipes = choose_members(SetSize(6400, 200, 5, 128), LAPTOP, {})
    comments = {entry.key: entry.comment for entry in defaults.value}
    lines = [line for line in comments["pretrained"].splitlines() if line.startswith("  ")]
    better: dict[str, Any] = yaml.safe_load("\n".join(lines))

    content = {"name": "x", "data": DATA, **content_of([defaults, recipes])}
    content["recipes"] = {**content["recipes"], **better}
    read = parse_experiment(content, Path(), "x.yaml").recipes["probe"]

    assert (read.is_probe, read.pretrained.source, read.size) == (True, "hub", 128)


@pytest.mark.parametrize(
    ("memory", "process", "workers"),
    [(16 * GIB, GIB, None), (3 * GIB, GIB, 1), (GIB, GIB, 1), (GIB, None, None)],
)
def test_workers_are_fewer_than_cores_only_where_memory_is_short(
    memory: int, process: int | None, workers: int | None
) -> None:
    assert Machine(2, (), memory, process).workers == workers


def test_this_machine_is_looked_at() -> None:
    here = Machine.here()

    assert here.cores >= 1
    assert here.memory > 0
    assert f"{here.cores} core" in here.told
