"""What an engine works on, and what it says of it."""

import traceback
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from raymed.errors import DiskFullError, RaymedError
from raymed.files import lacks_space

if TYPE_CHECKING:
    from raymed.training import Progress


class Unit(Protocol):
    """Work that can travel to another process; it reports as it goes and returns its result."""

    @property
    def workers(self) -> int:
        """How many processes share it; only Ray Train takes more than one."""
        ...

    @property
    def fewest(self) -> int:
        """With how few it begins or goes on, where there is no room for all."""
        ...

    def work(self, checkpoint: Path | None = None) -> Generator["Progress", None, Any]:
        """Do it, from the folder of a checkpoint where there is one."""
        ...


AnyUnit = TypeVar("AnyUnit", bound=Unit)


@dataclass(frozen=True)
class Reported(Generic[AnyUnit]):
    """A unit said how far it is."""

    unit: AnyUnit
    progress: "Progress"


@dataclass(frozen=True)
class Finished(Generic[AnyUnit]):
    """A unit ended well and returned `result`."""

    unit: AnyUnit
    result: Any


@dataclass(frozen=True)
class Failed(Generic[AnyUnit]):
    """A unit ended by an exception; `reason` is one line, `trace` the whole of it."""

    unit: AnyUnit
    reason: str
    trace: str


Said = Reported[AnyUnit] | Finished[AnyUnit] | Failed[AnyUnit]


@dataclass(frozen=True)
class Fault:
    """An exception as a value: it crosses processes whatever its class."""

    reason: str
    trace: str

    @classmethod
    def of(cls, error: Exception, trace: str | None = None) -> "Fault":
        """Describe an exception; without its `trace`, the one that is being handled."""
        trace = traceback.format_exc() if trace is None else trace
        if isinstance(error, RaymedError):
            return cls(str(error), trace)
        if lacks_space(error):
            return cls(str(DiskFullError.at(error)), trace)
        return cls(f"{type(error).__name__}: {error}", trace)


@dataclass(frozen=True)
class Returned:
    """What a unit returned, on its way to the driver."""

    result: Any


def ended(unit: AnyUnit, end: Fault | Returned) -> Finished[AnyUnit] | Failed[AnyUnit]:
    """Tell the end of a unit as the driver sees it."""
    if isinstance(end, Fault):
        return Failed(unit, end.reason, end.trace)
    return Finished(unit, end.result)
