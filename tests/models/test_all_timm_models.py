"""Layer groups of every model that timm lists, on the meta device, where nothing is computed."""

import fnmatch
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import timm

import raymed
from tests.models.timm_walk import Walked

pytestmark = pytest.mark.slow

SCRIPT = Path(__file__).with_name("timm_walk.py")
ROOT = Path(raymed.__file__).parent.parent
CHUNK = 150
"""Models a process: a few more processes than cores share the work well."""

# Each table is exact: a pattern that no model needs any more, or a model beyond it, fails.
NOT_BUILT: dict[str, str] = {}  # cannot be built on the meta device, because ...
BY_DEPTH = {
    "caformer_*": "MetaFormer has no group_matcher",
    "convformer_*": "MetaFormer has no group_matcher",
    "poolformer*": "MetaFormer has no group_matcher",
    "csatv2*": "no group_matcher",
    "pit_*": "no group_matcher",
    "mobilenetv5_300m_enc": "no group_matcher",
    "cait_*": "its matcher mixes the class-attention blocks with the blocks before them",
}
NO_CLASSIFIER = {"*_enc": "an encoder: its last group is its last block's"}
NOT_AS_THEY_RUN = {
    "efficientvim_*": "norms of the stages' ends feed the heads, so they come with the last block"
}


def _walk(first: int) -> dict[str, Walked]:
    paths = [str(ROOT), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    said = subprocess.run(
        [sys.executable, str(SCRIPT), str(first), str(first + CHUNK)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))},
        stdout=subprocess.PIPE,
        check=True,
    )
    return {name: Walked(**verdict) for name, verdict in json.loads(said.stdout).items()}


@pytest.fixture(scope="module")
def walk() -> dict[str, Walked]:
    """Every model's verdict, by two processes at a time: Python alone is at work."""
    with ThreadPoolExecutor(2) as pool:
        parts = pool.map(_walk, range(0, len(timm.list_models()), CHUNK))
    return {name: verdict for part in parts for name, verdict in part.items()}


@pytest.fixture(scope="module")
def built(walk: dict[str, Walked]) -> dict[str, Walked]:
    return {name: model for name, model in walk.items() if not model.error}


def of(table: dict[str, str]) -> list[str]:
    """The models of a table, every pattern of which must name one."""
    models = timm.list_models()
    assert all(fnmatch.filter(models, pattern) for pattern in table)
    return [name for name in models if any(fnmatch.fnmatch(name, pattern) for pattern in table)]


def test_every_model_but_those_named_is_built_without_memory(walk: dict[str, Walked]) -> None:
    errors = {name: model.error for name, model in walk.items() if model.error}
    assert list(errors) == of(NOT_BUILT), errors
    assert len(walk) > 1000


def test_those_named_and_no_others_are_grouped_by_depth(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if model.by_depth] == of(BY_DEPTH)


def test_no_parameter_is_forgotten_or_named_twice(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if not model.once] == []


def test_the_classifier_is_the_last_group(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if not model.classifier] == of(NO_CLASSIFIER)
    assert [name for name, model in built.items() if not model.classifier_last] == []


def test_what_is_registered_first_is_in_the_first_group(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if not model.stem_first] == []


def test_numbered_blocks_come_in_their_order(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if not model.numbered] == []


def test_groups_come_in_the_order_that_they_run_in(built: dict[str, Walked]) -> None:
    odd = [name for name, model in built.items() if not model.as_they_run]
    assert all(fnmatch.filter(odd, pattern) for pattern in NOT_AS_THEY_RUN)
    assert set(odd) <= set(of(NOT_AS_THEY_RUN))


def test_every_classifier_has_five_groups(built: dict[str, Walked]) -> None:
    refused = {name: model.five for name, model in built.items() if model.five}
    expected = "model: {} has no classifier; set num_classes"
    assert refused == {name: expected.format(name) for name in of(NO_CLASSIFIER)}
