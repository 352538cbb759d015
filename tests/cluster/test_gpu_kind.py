"""Units that want a kind of GPU, on two nodes of which one has it: by word, no card is used."""

from pathlib import Path

import pytest

from tests.own_ray import run_script

_TWO_NODES = """
import sys
import ray
from dataclasses import dataclass
from pathlib import Path
from ray.cluster_utils import Cluster
from raymed.cluster import Finished, run_units, start_engine
from raymed.cluster.spreading import nodes_here

own = {"num_cpus": 2, "object_store_memory": 80 * 1024**2}
cluster = Cluster(initialize_head=True, head_node_args={**own, "include_dashboard": False})
with_kind = cluster.add_node(resources={"accelerator_type:T4": 1}, **own)
ray.init(address=cluster.address, log_to_driver=False)
assert {node.kind for node in nodes_here()} == {None, "T4"}
assert len(nodes_here("T4")) == 1

@dataclass(frozen=True)
class Where:
    number: int
    workers: int = 1
    fewest: int = 1

    def work(self, checkpoint=None):
        import ray
        yield from ()
        return ray.get_runtime_context().get_node_id()

for name, count in (("workers", 4), ("train", 1)):
    engine = start_engine(name, 2, 0, Path(sys.argv[1]), "T4")
    ends = [said for said in run_units([Where(i) for i in range(count)], engine)]
    assert all(isinstance(end, Finished) for end in ends), ends
    assert {end.result for end in ends} == {with_kind.node_id}, ends
    del engine
    print(name, len(ends), flush=True)
ray.shutdown()
cluster.shutdown()
"""


@pytest.mark.slow
def test_units_that_want_a_kind_of_gpu_run_where_it_is(tmp_path: Path) -> None:
    ended = run_script(_TWO_NODES, tmp_path, timeout=300)

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.splitlines()[-2:] == ["workers 4", "train 1"]
