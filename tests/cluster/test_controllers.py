"""Where Ray Train's controllers run: on the nodes that work, never on a head that only drives."""

from pathlib import Path

import pytest

from tests.own_ray import run_script

SCRIPT = '''
"""Fifty units on the engine `train`: two are runs of Ray Train, the others say where theirs began.

A run of Ray Train starts six processes; its controller stays on the node that calls `fit`.
"""
import pathlib, sys
import ray
from ray._private.state import actors
from ray.cluster_utils import Cluster
from raymed.cluster import train
from raymed.cluster.schedule import run_units
from raymed.cluster.units import Finished, Returned

class Stub:
    workers = fewest = 1

    def __init__(self, real):
        self.real = real

    def work(self, checkpoint=None):
        return None
        yield

def fit(name, unit, *others):
    here = ray.get_runtime_context().get_node_id()
    if not unit.real:
        return Returned(here)
    end = real_fit(name, unit, *others)
    return Returned(here) if isinstance(end, Returned) else end

own = {"object_store_memory": 80 * 1024**2}
cluster = Cluster(
    initialize_head=True, head_node_args={**own, "num_cpus": 0, "include_dashboard": False}
)
nodes = {cluster.add_node(num_cpus=1, **own).node_id for _ in range(2)}
ray.init(address=cluster.address, log_to_driver=False, logging_level="ERROR")
head = ray.get_runtime_context().get_node_id()
real_fit, train.fit = train.fit, fit
units = [Stub(number in (0, 1)) for number in range(50)]
called = []
for said in run_units(units, train.TrainRuns(2, pathlib.Path(sys.argv[1]))):
    assert isinstance(said, Finished), said
    called.append(said.result)
controllers = [
    actor["Address"]["NodeID"]
    for actor in actors().values()
    if "TrainController" in actor["ActorClassName"]
]
print("called", len(called), head in called, set(called) <= nodes)
print("controllers", len(controllers), head in controllers, set(controllers) <= nodes)
ray.shutdown()
cluster.shutdown()
'''


@pytest.mark.slow
def test_fifty_units_leave_no_train_controller_on_the_head(tmp_path: Path) -> None:
    ended = run_script(SCRIPT, tmp_path, timeout=600)

    assert "called 50 False True\ncontrollers 2 False True\n" in ended.stdout, ended
