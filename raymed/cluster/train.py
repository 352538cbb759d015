"""The Ray Train engine: each unit of work is a `TorchTrainer` run of its own."""

import uuid
from collections.abc import Iterator
from typing import Any, Generic

import ray
from ray.exceptions import RayError

from raymed.cluster.groups import Freeing
from raymed.cluster.mailbox import Mailbox
from raymed.cluster.scratch import Scratch
from raymed.cluster.spreading import PATIENCE_SECONDS, Patience
from raymed.cluster.train_run import TRIES, fit
from raymed.cluster.units import AnyUnit, Failed, Reported, Said, ended

NEAR_ZERO = 0.001
"""Cores of the task that calls `fit`: it waits, the workers work."""
_LISTEN_SECONDS = 0.2


class TrainRuns(Generic[AnyUnit]):
    """Runs of Ray Train side by side."""

    def __init__(
        self,
        count: int,
        scratch: Scratch,
        gpus: float = 0,
        kind: str | None = None,
        patience: float = PATIENCE_SECONDS,
    ) -> None:
        """Allow `count` processes at once; Ray keeps its own files of them in `scratch`."""
        self._count, self._scratch, self._gpus, self._kind = count, scratch, gpus, kind
        self._mailbox, self._groups = Mailbox(), Freeing()
        self._patience = Patience(gpus, kind, patience)
        # a unit whose node died goes on elsewhere, under its name, from its last checkpoint
        of_kind = {} if kind is None else {"accelerator_type": kind}
        self._fit = ray.remote(fit).options(
            num_cpus=NEAR_ZERO, max_retries=TRIES - 1, scheduling_strategy="SPREAD", **of_kind
        )
        self._units: dict[str, AnyUnit] = {}
        self._tasks: dict[Any, str] = {}

    @property
    def room(self) -> int:
        """How many processes more can start."""
        return self._count - sum(unit.workers for unit in self._units.values())

    @property
    def running(self) -> int:
        """How many runs there are."""
        return len(self._tasks)

    def start(self, unit: AnyUnit) -> None:
        """Begin a run."""
        name = uuid.uuid4().hex[:12]
        self._units[name] = unit
        task = self._fit.remote(name, unit, self._mailbox, self._gpus, self._scratch, self._kind)
        self._tasks[task] = name

    def listen(self) -> Iterator[Said[AnyUnit]]:
        """Give what the runs said, their reports before their end."""
        self._groups.now_and_then()
        self._patience.now_and_then(unit.fewest for unit in self._units.values())
        done, _ = ray.wait(list(self._tasks), timeout=_LISTEN_SECONDS)
        for name, progress in self._mailbox.take():
            if name in self._units:
                self._patience.begun()
                yield Reported(self._units[name], progress)
        for task in done:
            unit = self._units.pop(self._tasks.pop(task))
            try:
                yield ended(unit, ray.get(task))
            except RayError as error:
                yield Failed(unit, f"{type(error).__name__}: {error}", str(error))
