"""Several machines: a session counts them, and SQLite is refused there."""

import pytest

from raymed.search import refuse_for_nodes
from tests.own_ray import run_script

_TWO_NODES = """
import ray
from ray.cluster_utils import Cluster
from raymed.cluster.session import count_nodes
from raymed.search import refuse_for_nodes

cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
cluster.add_node(num_cpus=1)
ray.init(address=cluster.address, log_to_driver=False)
refuse_for_nodes("sqlite:///study.db", count_nodes())
"""


@pytest.mark.slow
def test_the_nodes_of_the_running_ray_are_counted_and_sqlite_is_refused_on_two() -> None:
    ended = run_script(_TWO_NODES, timeout=300)
    assert "InputError: search.storage: SQLite" in ended.stderr
    assert "this search runs on 2" in ended.stderr


@pytest.mark.parametrize(
    ("wish", "nodes"),
    [("sqlite:///study.db", 1), (None, 3), ("postgresql+psycopg://me@there/studies", 3)],
)
def test_one_node_takes_sqlite_and_several_take_what_is_shared(
    wish: str | None, nodes: int
) -> None:
    refuse_for_nodes(wish, nodes)
