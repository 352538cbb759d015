"""What a sweep works on, and who decides about it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Literal, Protocol

from raymed.cluster.units import AnyUnit, Failed, Finished

if TYPE_CHECKING:
    from raymed.training import Progress


@dataclass(frozen=True)
class TrialUnits(Generic[AnyUnit]):
    """Units of work that are done one after the other, while what decides wants more of them."""

    number: int
    units: tuple[AnyUnit, ...]


class Decider(Protocol[AnyUnit]):
    """What decides about trials. All of it is called in one thread, Tune's."""

    def ask(self) -> TrialUnits[AnyUnit] | Literal["wait"] | None:
        """Give the next trial; None when there is none any more."""
        ...

    def heard(self, number: int, said: Finished[AnyUnit] | Failed[AnyUnit]) -> bool:
        """Take in how a unit of a trial ended; whether the trial goes on to its next unit."""
        ...

    def heard_epoch(self, number: int, unit: AnyUnit, progress: "Progress") -> bool:
        """Take in the end of a unit's epoch, its `curve`; whether the unit and its trial go on.

        Called only in a sweep `by_epoch`; the unit waits for the answer. An epoch may be told
        again, where a worker or a driver died.
        """
        ...
