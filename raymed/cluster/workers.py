"""The engine of reused Ray workers: processes that take one unit after another."""

from collections import deque
from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from typing import Any, Generic

import ray
from ray.exceptions import ObjectLostError, OutOfMemoryError, RayActorError, RayError

from raymed.cluster.spreading import PATIENCE_SECONDS, Patience
from raymed.cluster.telling import Telling
from raymed.cluster.units import AnyUnit, Failed, Fault, Reported, Returned, Said, Unit, ended
from raymed.stories import Story
from raymed.training import Progress

_TRIES = 2
"""A unit whose worker died, or its node, is tried once more, and again where it came further than
before; a unit that raised is not."""
_STARTS = 2
"""How often in a row each worker may fail to start before a unit pays for it: Ray also starts them
on a node that is lost, until it has noticed."""


class _Worker:
    """Lives in its own process with one thread, and works on one unit after another."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)
        self._telling = Telling()

    def begin(self) -> None:
        """Return at once, when this process has started."""

    def run(self, unit: Unit) -> Iterator[Progress | Fault | Returned]:
        from raymed.training.freeing import free_memory

        try:
            end: Fault | Returned = Returned((yield from self._worked(unit)))
        except Exception as error:
            end = Fault.of(error)
        self._telling.ended(well=isinstance(end, Returned))
        free_memory()  # the unit's frames are gone, also those that an exception held
        yield end

    def _worked(self, unit: Unit) -> Generator[Progress, None, Any]:
        work = Story(unit.work())
        for progress in work:
            yield self._telling.told(progress)
        return work.result


@dataclass(frozen=True)
class _Given(Generic[AnyUnit]):
    unit: AnyUnit
    tries: int = 1
    step: int = 0

    def reported(self, step: int) -> "_Given[AnyUnit]":
        """Count tries anew where it came further."""
        return self if step <= self.step else replace(self, tries=1, step=step)


class Workers(Generic[AnyUnit]):
    """Processes of the running Ray that work on one unit after another.

    Units wait here for workers that have started: one that finds no room any more, as its node
    died or others took it, holds no unit up.
    """

    def __init__(
        self,
        count: int,
        gpus: float = 0,
        kind: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Start `count` workers with a core and `gpus`, of a kind, each, spread over the nodes."""
        self._gpus, self._patience = gpus, Patience(gpus, kind, patience)
        spread = {"num_cpus": 1, "num_gpus": gpus, "scheduling_strategy": "SPREAD"}
        spread |= {} if kind is None else {"accelerator_type": kind}
        self._create = ray.remote(_Worker).options(**spread).remote
        self._waiting: deque[_Given[AnyUnit]] = deque()
        self._starting: dict[Any, Any] = {}
        self._idle: list[Any] = []
        self._streams: dict[Any, tuple[_Given[AnyUnit], Any]] = {}
        self._failed_starts, self._most_failed_starts = 0, _STARTS * count
        for _ in range(count):
            self._start_worker()

    @property
    def room(self) -> int:
        """How many workers are idle or soon will be."""
        return len(self._idle) + len(self._starting) - len(self._waiting)

    @property
    def running(self) -> int:
        """How many units are worked on or wait for their worker."""
        return len(self._streams) + len(self._waiting)

    def start(self, unit: AnyUnit) -> None:
        """Give a unit to an idle worker."""
        self._waiting.append(_Given(unit))
        self._give()

    def listen(self) -> Iterator[Said[AnyUnit]]:
        """Give what the workers said; waits a second at most."""
        self._patience.now_and_then([1] * bool(self._waiting))
        for said in self._ready():
            if said in self._starting:
                yield from self._started(said)
            else:
                yield from self._heard(said)
        self._give()

    def _start_worker(self) -> None:
        worker = self._create()
        self._starting[worker.begin.remote()] = worker

    def _give(self) -> None:
        while self._idle and self._waiting:
            given, worker = self._waiting.popleft(), self._idle.pop()
            stream = worker.run.options(num_returns="streaming").remote(given.unit)
            self._streams[stream] = given, worker

    def _ready(self) -> list[Any]:
        """Wait until a worker has started or has something to say; all that have."""
        asked = [*self._starting, *self._streams]
        ready, _ = ray.wait(asked, num_returns=1, timeout=1.0, fetch_local=False)
        more, _ = ray.wait(asked, num_returns=len(asked), timeout=0, fetch_local=False)
        return list(more or ready)

    def _started(self, beginning: Any) -> Iterator[Said[AnyUnit]]:
        worker = self._starting.pop(beginning)
        try:
            ray.get(beginning)
        except RayError as error:
            self._start_worker()
            self._failed_starts += 1
            if self._waiting and self._failed_starts > self._most_failed_starts:
                yield from self._again(self._waiting.popleft(), error)
        else:
            self._failed_starts = 0
            self._idle.append(worker)
            self._patience.begun()

    def _heard(self, stream: Any) -> Iterator[Said[AnyUnit]]:
        given, worker = self._streams[stream]
        try:
            said = ray.get(next(stream))
        except (RayActorError, ObjectLostError, OutOfMemoryError) as error:
            del self._streams[stream]
            ray.kill(worker)  # it may only be out of reach
            self._start_worker()
            yield from self._again(given, error)
        except RayError as error:
            yield self._end(stream, Fault(f"{type(error).__name__}: {error}", str(error)))
        else:
            if isinstance(said, Progress):
                self._streams[stream] = given.reported(said.step), worker
                yield Reported(given.unit, said)
            else:
                yield self._end(stream, said)

    def _again(self, given: _Given[AnyUnit], error: RayError) -> Iterator[Said[AnyUnit]]:
        if given.tries < _TRIES:
            self._waiting.appendleft(replace(given, tries=given.tries + 1))
        else:
            memory = isinstance(error, OutOfMemoryError)
            why = "its worker process died, twice" + ": its node ran out of memory" * memory
            yield Failed(given.unit, why, str(error))

    def _end(self, stream: Any, end: Fault | Returned) -> Said[AnyUnit]:
        given, worker = self._streams.pop(stream)
        if isinstance(end, Fault) and self._gpus:  # CUDA may be of no more use in that process
            ray.kill(worker)
            self._start_worker()
        else:
            self._idle.append(worker)
        return ended(given.unit, end)
