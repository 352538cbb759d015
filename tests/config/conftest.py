"""A least experiment, as text, and a way to read it."""

from collections.abc import Callable
from pathlib import Path

import pytest

from raymed.config import Experiment, read_experiment

LEAST = """\
name: toy
data: {source: scans, patients: none}
recipes:
  one: {model: resnet10t}
"""

Read = Callable[..., Experiment]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """Write YAML (default: the least experiment) to `toy.yaml`, read it with overrides."""

    def read_text(*overrides: str, text: str = LEAST) -> Experiment:
        path = tmp_path / "toy.yaml"
        path.write_text(text, encoding="utf-8")
        return read_experiment(path, overrides)

    return read_text
