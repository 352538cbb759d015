"""The embedded engine: units of work in reused Ray workers, their reports as one stream."""

import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

import ray
from ray.exceptions import RayActorError, RayError

from raymed.errors import RaymedError
from raymed.training import Progress

_TRIES = 2
"""A unit whose worker died is tried once more; a unit that raised is not."""


class Unit(Protocol):
    """Work that can travel to another process; it reports as it goes."""

    def work(self) -> Iterator[Progress]:
        """Do it."""
        ...


AnyUnit = TypeVar("AnyUnit", bound=Unit)


@dataclass(frozen=True)
class Reported(Generic[AnyUnit]):
    """A unit said how far it is."""

    unit: AnyUnit
    progress: Progress


@dataclass(frozen=True)
class Finished(Generic[AnyUnit]):
    """A unit ended well."""

    unit: AnyUnit


@dataclass(frozen=True)
class Failed(Generic[AnyUnit]):
    """A unit ended by an exception; `reason` is one line, `trace` the whole of it."""

    unit: AnyUnit
    reason: str
    trace: str


@dataclass(frozen=True)
class _Fault:
    reason: str
    trace: str


class _Worker:
    """Lives in its own process with one thread, and works on one unit after another."""

    def __init__(self) -> None:
        import torch

        torch.set_num_threads(1)

    def run(self, unit: Unit) -> Iterator[Progress | _Fault]:
        try:
            yield from unit.work()
        except Exception as error:
            own = isinstance(error, RaymedError)
            reason = str(error) if own else f"{type(error).__name__}: {error}"
            yield _Fault(reason, traceback.format_exc())


def run_units(
    units: Sequence[AnyUnit],
    workers: int,
    gpus_a_worker: float = 0,
    wanted: Callable[[AnyUnit], bool] = lambda unit: True,
    ready: Callable[[AnyUnit], bool] = lambda unit: True,
) -> Iterator[Reported[AnyUnit] | Finished[AnyUnit] | Failed[AnyUnit]]:
    """Work on units in `workers` processes of the running Ray; events as they come.

    Units start in their order, but one that is not `ready` lets others pass, and one that is not
    `wanted` any more is dropped. The caller may stop taking events: what is running ends with the
    session.
    """
    pool = _Pool(min(workers, len(units)), gpus_a_worker)
    waiting, tries = deque(units), dict.fromkeys(range(len(units)), 0)
    numbers = {id(unit): number for number, unit in enumerate(units)}
    while waiting or pool.running:
        waiting = deque(unit for unit in waiting if wanted(unit))
        for unit in [unit for unit in waiting if ready(unit)][: len(pool.idle)]:
            waiting.remove(unit)
            pool.start(unit)
        if waiting and not pool.running:
            raise AssertionError(f"{len(waiting)} units wait for what will never come")
        for stream in pool.ready():
            unit = pool.running[stream].unit
            try:
                said = ray.get(next(stream))
            except StopIteration:
                pool.release(stream)
                yield Finished(unit)
            except RayActorError as error:
                pool.replace(stream)
                tries[numbers[id(unit)]] += 1
                if tries[numbers[id(unit)]] < _TRIES:
                    waiting.append(unit)
                else:
                    yield Failed(unit, "its worker process died, twice", str(error))
            except RayError as error:
                pool.release(stream)
                yield Failed(unit, f"{type(error).__name__}: {error}", str(error))
            else:
                if isinstance(said, _Fault):
                    pool.release(stream)
                    yield Failed(unit, said.reason, said.trace)
                else:
                    yield Reported(unit, said)


@dataclass(frozen=True)
class _Running:
    unit: Any
    worker: Any


class _Pool:
    """Workers that are idle, and streams of reports from those that are not."""

    def __init__(self, size: int, gpus: float) -> None:
        self._create = ray.remote(_Worker).options(num_cpus=1, num_gpus=gpus).remote
        self.idle = [self._create() for _ in range(size)]
        self.running: dict[Any, _Running] = {}

    def start(self, unit: Unit) -> None:
        worker = self.idle.pop()
        stream = worker.run.options(num_returns="streaming").remote(unit)
        self.running[stream] = _Running(unit, worker)

    def ready(self) -> list[Any]:
        """Wait until a stream has something to say; all that do."""
        streams = list(self.running)
        ready, _ = ray.wait(streams, num_returns=1, timeout=1.0, fetch_local=False)
        more, _ = ray.wait(streams, num_returns=len(streams), timeout=0, fetch_local=False)
        return list(more or ready)

    def release(self, stream: Any) -> None:
        """Take back the worker of a stream that ended."""
        self.idle.append(self.running.pop(stream).worker)

    def replace(self, stream: Any) -> None:
        """Put a new worker in the place of one that died."""
        self.running.pop(stream)
        self.idle.append(self._create())
