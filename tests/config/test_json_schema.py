"""The schema that editors get accepts what we accept, and refuses typing errors."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from raymed.config import json_schema

jsonschema = pytest.importorskip("jsonschema", reason="needs the jsonschema package")

CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("*.yaml"))
RECIPE: dict[str, Any] = {"model": "m"}


class Yaml12Loader(yaml.SafeLoader):
    """Editors follow YAML 1.2, where 1e-3 is a number; PyYAML follows 1.1, where it is text."""


Yaml12Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?\d+(\.\d*)?[eE][-+]?\d+$"), list("-+0123456789")
)


def experiment(**changes: Any) -> dict[str, Any]:
    """The least experiment with other top-level parts."""
    least = {
        "name": "toy",
        "data": {"source": "scans", "patients": "none"},
        "recipes": {"one": RECIPE},
    }
    return least | changes


def accepts(content: dict[str, Any]) -> bool:
    return jsonschema.Draft202012Validator(json_schema()).is_valid(content)


def test_the_schema_is_a_valid_schema_in_plain_json() -> None:
    schema = json.loads(json.dumps(json_schema(), allow_nan=False))
    jsonschema.Draft202012Validator.check_schema(schema)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_our_own_configurations_keep_the_schema(path: Path) -> None:
    content = yaml.load(path.read_text(), Loader=Yaml12Loader)
    jsonschema.validate(content, json_schema(), jsonschema.Draft202012Validator)


@pytest.mark.parametrize(
    "content",
    [
        experiment(),
        experiment(defaults={"size": 64}, recipes={"one": {"model": "m"}}),
        experiment(defaults={"model": "m"}, recipes={"one": {}}),
        experiment(data={"source": "scans", "patients": {"column": "who"}, "folds": 3}),
        experiment(data={"source": "scans", "patients": {"pattern": "(p)"}, "folds": {"count": 3}}),
        experiment(cluster={"workers": "auto"}),
        experiment(cluster={"workers": 2}),
        experiment(evaluate={"subgroups": ["sex", {"column": "age", "bands": [40, 60]}]}),
        experiment(evaluate={"sites": "leave-one-out"}),
        experiment(search={"halving": True}),
        experiment(search={"halving": "none"}),
        experiment(search={"halving": {"factor": 4}}),
    ],
)
def test_the_schema_accepts_defaults_and_short_forms(content: dict[str, Any]) -> None:
    assert accepts(content)


@pytest.mark.parametrize(
    "change",
    [
        {"pretrained": "none"},
        {"pretrained": "hub"},
        {"pretrained": {"file": "w.pth"}},
        {"augmentation": "none"},
        {"augmentation": {"rotate": 3}},
        {"augmentation": "x-ray"},
        {"augmentation": {"preset": "mri", "rotate": 5, "strength": 0.5}},
        {"class_weights": "none"},
        {"class_weights": "balanced"},
        {"samples_per_patient": None},
        {"sam": "none"},
        {"sam": {}},
        {"sam": {"variant": "looksam"}},
        {"budget": 10, "phases": [{"epochs": "40%", "lr": 1}, {"epochs": 3, "lr": 1}]},
        {"phases": [{"epochs": 1, "lr": 1, "schedule": "one_cycle", "factor": 0.5}]},
    ],
)
def test_the_schema_accepts_the_short_forms_of_a_recipe(change: dict[str, Any]) -> None:
    assert accepts(experiment(recipes={"one": RECIPE | change}))


@pytest.mark.parametrize(
    "content",
    [
        experiment(sead=1),
        experiment(seed="one"),
        experiment(data={"source": "scans", "patients": "column"}),
        experiment(recipes={}),
        experiment(recipes={"one": RECIPE | {"sise": 64}}),
        experiment(recipes={"one": RECIPE | {"augmentation": "strong"}}),
        experiment(recipes={"one": RECIPE | {"augmentation": {"preset": "strong"}}}),
        experiment(recipes={"one": RECIPE | {"phases": [{"epochs": 1, "lr": 1, "ratoi": 1}]}}),
        experiment(recipes={"one": RECIPE | {"sam": {"roh": 0.1}}}),
        experiment(recipes={"one": RECIPE | {"phases": [{"epochs": "half", "lr": 1}]}}),
        experiment(defaults={"sise": 64}),
        experiment(cluster={"workers": "many"}),
        experiment(search={"halving": "often"}),
    ],
)
def test_the_schema_refuses_what_we_refuse(content: dict[str, Any]) -> None:
    assert not accepts(content)
