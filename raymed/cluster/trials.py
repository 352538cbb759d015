"""What a sweep works on, and who decides about it."""

from dataclasses import dataclass
from typing import Generic, Literal, Protocol

from raymed.cluster.units import AnyUnit, Failed, Finished


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
