"""Placement groups that Ray Train leaves behind: without them, the next run would wait for ever.

Ray frees an actor's placement group only when its whole job ends. Ray Train's own cleaner asks
Ray's dashboard, which an embedded Ray has not.
"""

import time

import ray
from ray._private.state import state
from ray.core.generated.gcs_pb2 import PlacementGroupTableData
from ray.util.placement_group import PlacementGroup, remove_placement_group

_SECONDS = 2.0


def free_groups(*, of_the_dead: bool) -> None:
    """Free the placement groups that actors of this session made, or only those of dead actors.

    Where no session runs any more there is none.
    """
    if not ray.is_initialized():
        return
    for said in state._connect_and_get_accessor().get_placement_group_table():
        group = PlacementGroupTableData.FromString(said)
        by_an_actor = group.creator_actor_id not in (b"", ray.ActorID.nil().binary())
        there = group.state != PlacementGroupTableData.REMOVED
        ours = group.creator_job_id.hex() == ray.get_runtime_context().get_job_id()
        if there and ours and by_an_actor and (group.creator_actor_dead or not of_the_dead):
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))


class Freeing:
    """Frees the groups of dead actors now and then."""

    def __init__(self) -> None:
        """Begin with the next call."""
        self._last = 0.0

    def now_and_then(self) -> None:
        """Free them, if the last time is two seconds ago."""
        if time.monotonic() - self._last > _SECONDS:
            self._last = time.monotonic()
            free_groups(of_the_dead=True)
