"""How many processes share a unit that can do with fewer than it asks for."""

import time

from ray._private.state import available_resources_per_node

from raymed.cluster.spreading import Node, living, node_of
from raymed.cluster.units import Unit

CORE = 0.99
"""Of a core, what a process of a run asks for, so that a node of n has room for n beside `fit`."""
_LOOK_SECONDS = 1.0
_RETURN_SECONDS = 30.0
"""How long a lost node may take to come back before its unit goes on with fewer processes."""


def processes_for(unit: Unit, gpus: float, kind: str | None, *, lost: bool) -> int:
    """Wait half a minute for room for all of a unit's processes, and take what there is then.

    Where nodes are too few from the start nothing is waited for; where one was `lost` it may come
    back. Never less than the unit's fewest, for which Ray Train waits itself.
    """
    if unit.fewest == unit.workers:
        return unit.workers
    there = [node for node in map(node_of, living()) if kind is None or node.kind == kind]
    wanted = unit.workers if lost else sum(node.holds(gpus) for node in there)
    began = time.monotonic()
    while (free := _free_room(gpus, kind)) < min(wanted, unit.workers):
        if time.monotonic() - began > _RETURN_SECONDS:
            break
        time.sleep(_LOOK_SECONDS)
    return max(unit.fewest, min(free, unit.workers))


def _free_room(gpus: float, kind: str | None) -> int:
    """Count the processes that find room on living nodes beside what runs there now."""
    free = available_resources_per_node()
    nodes = [Node.of("", free.get(node["NodeID"], {})) for node in living()]
    return sum(node.holds(gpus, CORE) for node in nodes if kind is None or node.kind == kind)
