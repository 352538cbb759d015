"""Units of work on an engine: which one next, and everything they say as one stream."""

from collections.abc import Callable, Iterator, Sequence
from typing import Protocol

from raymed.cluster.units import AnyUnit, Said


class Engine(Protocol[AnyUnit]):
    """What works on units: reused workers, or runs of Ray Train."""

    @property
    def room(self) -> int:
        """How many more processes can start now."""
        ...

    @property
    def running(self) -> int:
        """How many units are being worked on."""
        ...

    def start(self, unit: AnyUnit) -> None:
        """Begin to work on a unit."""
        ...

    def listen(self) -> Iterator[Said[AnyUnit]]:
        """Give what the running units said; waits about a second at most."""
        ...


def run_units(
    units: Sequence[AnyUnit],
    engine: Engine[AnyUnit],
    wanted: Callable[[AnyUnit], bool] = lambda unit: True,
    ready: Callable[[AnyUnit], bool] = lambda unit: True,
) -> Iterator[Said[AnyUnit]]:
    """Work on units in the running Ray; events as they come.

    Units start in their order, but one that is not `ready`, or too large for the room there is,
    lets others pass, and one that is not `wanted` any more is dropped; alone, one begins with its
    fewest processes. The caller may stop taking events: what is running ends with the session.
    """
    waiting = list(units)
    while waiting or engine.running:
        waiting = [unit for unit in waiting if wanted(unit)]
        for unit in [unit for unit in waiting if ready(unit)]:
            if (unit.workers if engine.running else unit.fewest) <= engine.room:
                waiting.remove(unit)
                engine.start(unit)
        if waiting and not engine.running:
            raise AssertionError(f"{len(waiting)} units wait for what will never come")
        yield from engine.listen()
