"""The doctor from outside a cluster, and what it prints; real nodes are in test_attached.py."""

import io
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import ray
from rich.console import Console

from raymed.cli.examining import print_examination, visit_of
from raymed.cluster.findings import Finding
from raymed.cluster.node_facts import NodeFacts
from raymed.cluster.spreading import Node
from raymed.config import Experiment
from raymed.errors import InputError
from raymed.pipeline.doctor import Examination, refuse_unmet
from raymed.pipeline.doctor.job import judge_ray_version

Make = Callable[..., Experiment]


@dataclass(frozen=True)
class Head:
    """A head that answers what is asked before a submission."""

    cpus: float = 2
    version: str = ray.__version__
    address: str = "http://head:8265"

    def ray_version(self) -> str:
        return self.version

    def nodes(self) -> list[Node]:
        return [Node("10.0.0.1", self.cpus, 0), Node("10.0.0.2", 0, 0)]


def test_another_ray_is_an_error_from_the_minor_version_on() -> None:
    major, minor, patch = ray.__version__.split(".")[:3]

    def severities(there: str) -> list[str]:
        return [each.severity for each in judge_ray_version("there", there)]

    assert severities(ray.__version__) == []
    assert severities(f"{major}.{minor}.{patch}1") == ["warning"]
    assert severities(f"{major}.{int(minor) + 1}.0") == ["error"]


def test_what_a_cluster_can_never_give_is_refused(make: Make) -> None:
    refuse_unmet("build", make("recipes.cnn.workers=2"), Head())

    with pytest.raises(InputError, match=r"recipes.cnn.workers: 2 .* nodes have room for 1"):
        refuse_unmet("build", make("recipes.cnn.workers=2"), Head(cpus=1))
    with pytest.raises(InputError, match=r"its head runs Ray 1\.0\.0, this process has"):
        refuse_unmet("build", make(), Head(version="1.0.0"))
    with pytest.raises(InputError, match="no node has a GPU of kind H100"):
        refuse_unmet("build", make("cluster.device=auto", "cluster.gpu_kind=H100"), Head())


def test_a_search_asks_for_the_recipe_that_it_searches_alone(make: Make) -> None:
    wide = make("recipes.large={model: test_resnet, pretrained: none, size: 32, workers: 2}")
    narrow = wide.model_copy(update={"search": None})

    refuse_unmet("tune", narrow, Head(cpus=1))
    with pytest.raises(InputError, match=r"recipes\.large\.workers"):
        refuse_unmet("build", narrow, Head(cpus=1))


def test_what_is_given_goes_before_what_the_configuration_says(make: Make, tmp_path: Path) -> None:
    experiment = make("cluster.address=10.0.0.9:6379")

    assert visit_of(experiment, None, None).address == "10.0.0.9:6379"
    assert visit_of(experiment, "auto", str(tmp_path)).address == "auto"
    default = visit_of(experiment, None, None).run
    assert default is not None
    assert default.path == Path.cwd() / "runs" / experiment.name
    assert visit_of(experiment, "http://head:8265", None).run is None


def shown(found: Examination) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    print_examination(found, [], console)
    return console.export_text()


def test_a_fault_that_nodes_share_is_told_once_with_their_names_and_the_remedy() -> None:
    nodes = [NodeFacts(Node(f"10.0.0.{number}", 4, 0)) for number in (1, 2)]
    nodes[1] = replace(nodes[1], silence="did not answer in 30 s")
    slow = Finding("warning", "node 10.0.0.1", "has 1 GB free", "free some")
    findings = (slow, replace(slow, place="node 10.0.0.2"), Finding("fine", "clocks", "are right"))

    text = shown(Examination("the Ray at a:1", tuple(nodes), findings))

    assert "warning node 10.0.0.1, node 10.0.0.2: has 1 GB free. free some" in text
    assert "10.0.0.2   silent" in text
    assert "the Ray at a:1: ready, with warnings" in text


def test_errors_come_first_and_make_it_not_ready() -> None:
    found: Any = (Finding("fine", "a", "is"), Finding("error", "b", "is not", "do"))

    lines = shown(Examination("this machine", (), found)).splitlines()

    assert lines == ["error b: is not. do", "fine a: is", "this machine: not ready, errors: 1"]
