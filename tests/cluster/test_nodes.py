"""Several machines: a session counts them, and SQLite is refused there."""

import pytest

from raymed.cluster.session import count_nodes
from raymed.errors import InputError
from raymed.search import refuse_for_nodes


@pytest.mark.slow
def test_the_nodes_of_the_running_ray_are_counted_and_sqlite_is_refused_on_two(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    import ray
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    try:
        cluster.add_node(num_cpus=1)
        ray.init(address=cluster.address, log_to_driver=False)
        with pytest.raises(InputError, match=r"search\.storage: SQLite .* this search runs on 2"):
            refuse_for_nodes("sqlite:///study.db", count_nodes())
    finally:
        ray.shutdown()
        cluster.shutdown()


@pytest.mark.parametrize(
    ("wish", "nodes"),
    [("sqlite:///study.db", 1), (None, 3), ("postgresql+psycopg://me@there/studies", 3)],
)
def test_one_node_takes_sqlite_and_several_take_what_is_shared(
    wish: str | None, nodes: int
) -> None:
    refuse_for_nodes(wish, nodes)
