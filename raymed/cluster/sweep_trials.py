"""The trials of a sweep: what is left of each, and what becomes of what is heard of them."""

import queue
import threading
import uuid
from typing import Generic, Literal

from raymed.cluster.trials import Decider, TrialUnits
from raymed.cluster.units import AnyUnit, Fault, Returned, Said, ended
from raymed.training import Progress


class Trials(Generic[AnyUnit]):
    """What Tune's searcher and scheduler share: the decider, asked and told in Tune's thread."""

    def __init__(self, decider: Decider[AnyUnit]) -> None:
        self.said: queue.SimpleQueue[Said[AnyUnit]] = queue.SimpleQueue()
        self.stopped = threading.Event()
        self.error: Exception | None = None
        self._decider = decider
        self._left: dict[int, dict[str, AnyUnit]] = {}

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Leave nothing in the state that Tune pickles and that nobody reads."""
        return type(None), ()

    def at_work(self) -> dict[str, AnyUnit]:
        """Give the units that are left of the trials that run, by name."""
        return {name: unit for left in list(self._left.values()) for name, unit in left.items()}

    def fail(self, error: Exception) -> None:
        """Keep the first thing that went wrong, and stop."""
        if not self.stopped.is_set():
            self.error = error
        self.stopped.set()

    def ask(self) -> tuple[int, dict[str, AnyUnit]] | Literal["wait"] | None:
        """Ask for the next trial: its number, and its units by name."""
        asked: TrialUnits[AnyUnit] | Literal["wait"] | None = None
        try:
            if not self.stopped.is_set():
                asked = self._decider.ask()
        except Exception as error:
            self.fail(error)
        if asked is None or asked == "wait":
            return asked
        units = {uuid.uuid4().hex[:12]: unit for unit in asked.units}
        self._left[asked.number] = units
        return asked.number, units

    def heard(self, number: int, name: str, end: Fault | Returned) -> bool:
        """Tell how a unit ended; whether its trial goes on. A unit told twice changes nothing."""
        unit = self._left.get(number, {}).pop(name, None)
        if unit is None or self.stopped.is_set():
            return not self.stopped.is_set()
        said = ended(unit, end)
        self.said.put(said)
        try:
            return self._decider.heard(number, said)
        except Exception as error:
            self.fail(error)
            return False

    def heard_epoch(self, number: int, name: str, progress: Progress) -> bool:
        """Tell the end of a unit's epoch; whether its trial goes on."""
        unit = self._left.get(number, {}).get(name)
        if unit is None or self.stopped.is_set():
            return not self.stopped.is_set()
        try:
            return self._decider.heard_epoch(number, unit, progress)
        except Exception as error:
            self.fail(error)
            return False

    def died(self, number: int) -> None:
        """Tell that the worker of a trial died once too often."""
        for name in list(self._left.get(number, {}))[:1]:
            self.heard(number, name, Fault("its worker process died, twice", ""))

    def forget(self, number: int) -> None:
        """Let go of a trial that ended."""
        self._left.pop(number, None)
