"""What is written reads back as the same experiment."""

from pathlib import Path
from typing import Any

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from raymed.config import Experiment, parse_experiment, write_experiment

FOLDER = Path("/somewhere/configs")
# PyYAML bends Unicode's own line breaks (U+0085, U+2028), and nobody names a class so.
WORDS = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), min_size=1, max_size=8)
HEAD = st.fixed_dictionaries(
    {"train": st.just("head"), "epochs": st.integers(1, 9), "lr": st.just(1)}
)
PHASE = st.fixed_dictionaries(
    {"epochs": st.integers(1, 99) | st.just("25%"), "lr": st.floats(1e-9, 10)},
    optional={
        "ratio": st.floats(1e-6, 1),
        "schedule": st.sampled_from(["constant", "cosine", "one_cycle", "slanted"]),
        "warmup": st.floats(0.01, 0.99),
        "unfreeze": st.booleans(),
    },
)
SAM = st.sampled_from(
    ["none", {}, {"variant": "asam"}, {"variant": "looksam", "every": 3}, {"part": 0.25}]
)
WEIGHTS = st.sampled_from(
    ["hub", "none", {"file": "weights.pth"}, {"file": "/abs/w.safetensors"}, {"source": "none"}]
)
FREE = st.fixed_dictionaries(
    {"model": WORDS, "budget": st.integers(3, 50)},
    optional={
        "sam": SAM,
        "pretrained": WEIGHTS,
        "size": st.integers(16, 2048),
        "phases": st.lists(PHASE, min_size=1, max_size=3),
        "optimizer": st.fixed_dictionaries({}, optional={"clip": st.none() | st.floats(0.1, 9)}),
        "class_weights": st.sampled_from(["none", "balanced", None]),
        "samples_per_patient": st.none() | st.integers(1, 64),
        "augmentation": st.sampled_from(
            [
                "none",
                None,
                "mri",
                {"rotate": 0, "vertical_flip": True},
                {"preset": "ct", "bias": 0.1},
            ]
        ),
    },
)
PROBE = st.fixed_dictionaries(
    {"model": WORDS, "phases": st.lists(HEAD, min_size=1, max_size=2)},
    optional={"pretrained": WEIGHTS, "augmentation": st.just("none")},
)
PATIENTS = st.sampled_from(
    ["none", {"column": "who"}, {"file": "who.csv", "column": "who"}, {"pattern": r"(p\d+)/"}]
)
SUBGROUPS = ["sex", {"column": "age", "bands": [40, 62.5], "file": "p.csv", "key": "who"}]
CONTENT: st.SearchStrategy[dict[str, Any]] = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z][a-z0-9._-]{0,20}", fullmatch=True),
        "seed": st.integers(0, 2**31 - 1),
        "data": st.fixed_dictionaries(
            {"source": st.sampled_from(["scans", "../x.npz", "/abs/t.csv"]), "patients": PATIENTS},
            optional={
                "classes": st.lists(WORDS, min_size=2, max_size=5, unique=True),
                "folds": st.integers(2, 100) | st.just({"column": "fold"}),
                "test": st.fixed_dictionaries({"share": st.floats(0.01, 0.89)}),
            },
        ),
        "recipes": st.dictionaries(WORDS, FREE | PROBE, min_size=1, max_size=3),
    },
    optional={
        "cluster": st.sampled_from([{"workers": "auto"}, {"workers": 2, "cache": "c"}]),
        "evaluate": st.sampled_from([{}, {"sites": "leave-one-out", "subgroups": SUBGROUPS}]),
    },
)


def parse(content: Any, folder: Path = FOLDER) -> Experiment:
    return parse_experiment(content, folder, "toy.yaml")


@settings(max_examples=40, deadline=None)
@given(CONTENT)
def test_a_written_experiment_reads_back_the_same_from_anywhere(content: dict[str, Any]) -> None:
    experiment = parse(content)
    again = parse(yaml.safe_load(write_experiment(experiment)), Path("/elsewhere"))
    assert again == experiment
    assert write_experiment(again) == write_experiment(experiment)


@settings(max_examples=20, deadline=None)
@given(CONTENT)
def test_what_a_recipe_means_does_not_depend_on_the_order_of_keys(content: dict[str, Any]) -> None:
    turned = dict(reversed(content.items()))
    turned["recipes"] = {
        name: dict(reversed(recipe.items())) for name, recipe in content["recipes"].items()
    }
    assert parse(turned) == parse(content)


def test_defaults_are_written_once_into_the_members_and_not_again() -> None:
    content = {
        "name": "toy",
        "data": {"source": "scans", "patients": "none"},
        "defaults": {"model": "m", "size": 48},
        "recipes": {"one": {}, "two": {"size": 64}},
    }
    written = yaml.safe_load(write_experiment(parse(content)))
    assert "defaults" not in written
    assert [written["recipes"][name]["size"] for name in ("one", "two")] == [48, 64]
