"""The Ray Train engine: each unit of work is a `TorchTrainer` run of its own."""

import os
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Generic

import ray
import ray.train
from ray.exceptions import RayActorError, RayError
from ray.train import Checkpoint, CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from raymed.cluster.elastic import CORE, processes_for
from raymed.cluster.groups import Freeing
from raymed.cluster.mailbox import Mailbox
from raymed.cluster.scratch import Scratch, storage_of
from raymed.cluster.spreading import PATIENCE_SECONDS, Patience, process_resources
from raymed.cluster.telling import Telling
from raymed.cluster.units import AnyUnit, Failed, Fault, Reported, Returned, Said, Unit, ended
from raymed.errors import RaymedError

NEAR_ZERO = 0.001
"""Cores of the task that calls `fit`: it waits, the workers work."""
_LISTEN_SECONDS = 0.2
_ROOM_LIMIT = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
_TRIES = 2
_ROOM_SECONDS = "600"
"""How long a run may wait for its processes, three times over: others may use the nodes too."""
_DIED = "its worker process died, twice"


def _loop(config: dict[str, Any]) -> Fault | Returned:
    """Work on one unit inside a Ray Train worker; checkpoints go to Train as they are written.

    An exception comes back as a value, so that Train tries again only when a process died. Of
    several processes one that fails must take the others down: there it is raised.
    """
    import torch

    torch.set_num_threads(1)
    unit: Unit = config["unit"]
    first, telling = ray.train.get_context().get_world_rank() == 0, Telling()
    with ExitStack() as stack:
        kept = ray.train.get_checkpoint()
        work = unit.work(Path(stack.enter_context(kept.as_directory())) if kept else None)
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                telling.ended(well=True)
                return Returned(end.value)
            except Exception as error:
                if unit.workers > 1:
                    raise
                return Fault.of(error)
            if progress.checkpoint is not None:
                written = Checkpoint.from_directory(progress.checkpoint) if first else None
                ray.train.report({"step": progress.step}, checkpoint=written)
            if first:
                config["mailbox"].put(config["name"], telling.told(progress))


def fit(
    name: str,
    unit: Unit,
    mailbox: Mailbox,
    gpus: float,
    scratch: Scratch,
    kind: str | None = None,
) -> Fault | Returned:
    """Run one unit as Ray Train; called on the node that works, where its controller stays.

    Train tries again when a process dies, but not while its run is starting, nor with fewer
    processes: that is done here.
    """
    os.environ[_ROOM_LIMIT] = _ROOM_SECONDS
    can_lose = unit.workers - unit.fewest
    for tried in range(_TRIES + can_lose):
        processes = processes_for(unit, gpus, kind, lost=tried > 0)
        try:
            trainer = _trainer(name, unit, mailbox, gpus, scratch, kind, processes)
            end: Fault | Returned = trainer.fit().return_value
        except ray.train.WorkerGroupError as error:
            last = _fault_of(error)
            if not can_lose or _said_by_us(error) is not None:
                return last
        except ray.train.ControllerError as error:
            if not isinstance(error.controller_failure, RayActorError):
                return Fault.of(error.controller_failure, str(error))
            last = Fault(_DIED, str(error))
        except ray.train.TrainingFailedError as error:
            return Fault.of(error)
        else:
            return end
    return last


def _trainer(
    name: str,
    unit: Unit,
    mailbox: Mailbox,
    gpus: float,
    scratch: Scratch,
    kind: str | None,
    processes: int,
) -> TorchTrainer:
    return TorchTrainer(
        _loop,
        train_loop_config={"name": name, "unit": unit, "mailbox": mailbox},
        torch_config=TorchConfig(backend="nccl" if gpus and unit.workers > 1 else "gloo"),
        scaling_config=ScalingConfig(
            num_workers=processes,
            use_gpu=gpus > 0,
            resources_per_worker=process_resources(gpus, kind) | {"CPU": CORE},
        ),
        run_config=RunConfig(
            name=name,
            **storage_of(scratch),
            failure_config=FailureConfig(
                max_failures=int(unit.fewest == unit.workers), controller_failure_limit=2
            ),
            checkpoint_config=CheckpointConfig(num_to_keep=1),
        ),
    )


def _fault_of(error: Any) -> Fault:
    """Tell a process that died from one that raised, when Train has given up.

    Where one process ends, those that talk to it raise too, and may be heard first: what they say
    is not the cause.
    """
    ours, raised = _said_by_us(error), _raised(error)
    if ours is not None:
        return Fault.of(ours, str(error))
    if any(isinstance(each, RayActorError) for each in raised):
        return Fault(_DIED, str(error))
    return Fault.of(raised[0], str(error))


def _said_by_us(error: Any) -> RaymedError | None:
    return next((each for each in _raised(error) if isinstance(each, RaymedError)), None)


def _raised(error: Any) -> list[Exception]:
    return [getattr(each, "_base_exc", each) for each in error.worker_failures.values()]


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
            num_cpus=NEAR_ZERO, max_retries=_TRIES - 1, scheduling_strategy="SPREAD", **of_kind
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
