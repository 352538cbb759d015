"""The embedded engine: units of work in reused Ray workers."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Generic

import ray
from ray.exceptions import RayActorError, RayError

from raymed.cluster.units import AnyUnit, Failed, Fault, Reported, Returned, Said, Unit, ended
from raymed.training import Progress

_TRIES = 2
"""A unit whose worker died is tried once more; a unit that raised is not."""


class _Worker:
    """Lives in its own process with one thread, and works on one unit after another."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)

    def run(self, unit: Unit) -> Iterator[Progress | Fault | Returned]:
        import torch

        try:
            result = yield from unit.work()
        except Exception as error:
            yield Fault.of(error)
        else:
            torch.cuda.empty_cache()  # for the others on the card; without one it does nothing
            yield Returned(result)


@dataclass(frozen=True)
class _Running(Generic[AnyUnit]):
    unit: AnyUnit
    worker: Any
    tries: int


class Workers(Generic[AnyUnit]):
    """Processes of the running Ray that work on one unit after another."""

    def __init__(self, count: int, gpus: float = 0) -> None:
        """Start `count` workers with one core and `gpus` each."""
        self._gpus = gpus
        self._create = ray.remote(_Worker).options(num_cpus=1, num_gpus=gpus).remote
        self._idle = [self._create() for _ in range(count)]
        self._streams: dict[Any, _Running[AnyUnit]] = {}

    @property
    def room(self) -> int:
        """How many workers are idle."""
        return len(self._idle)

    @property
    def running(self) -> int:
        """How many workers are not."""
        return len(self._streams)

    def start(self, unit: AnyUnit) -> None:
        """Give a unit to an idle worker."""
        self._start(unit, tries=1)

    def listen(self) -> Iterator[Said[AnyUnit]]:
        """Give what the workers said; waits a second at most."""
        for stream in self._ready():
            running = self._streams[stream]
            try:
                said = ray.get(next(stream))
            except RayActorError as error:
                del self._streams[stream]
                self._idle.append(self._create())
                if running.tries < _TRIES:
                    self._start(running.unit, running.tries + 1)
                else:
                    yield Failed(running.unit, "its worker process died, twice", str(error))
            except RayError as error:
                yield self._end(stream, Fault(f"{type(error).__name__}: {error}", str(error)))
            else:
                if isinstance(said, Progress):
                    yield Reported(running.unit, said)
                else:
                    yield self._end(stream, said)

    def _start(self, unit: AnyUnit, tries: int) -> None:
        worker = self._idle.pop()
        stream = worker.run.options(num_returns="streaming").remote(unit)
        self._streams[stream] = _Running(unit, worker, tries)

    def _ready(self) -> list[Any]:
        """Wait until a stream has something to say; all that do."""
        streams = list(self._streams)
        ready, _ = ray.wait(streams, num_returns=1, timeout=1.0, fetch_local=False)
        more, _ = ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        return list(more or ready)

    def _end(self, stream: Any, end: Fault | Returned) -> Said[AnyUnit]:
        running = self._streams.pop(stream)
        if isinstance(end, Fault) and self._gpus:  # CUDA may be of no more use in that process
            ray.kill(running.worker)
            self._idle.append(self._create())
        else:
            self._idle.append(running.worker)
        return ended(running.unit, end)
