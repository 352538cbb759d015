"""One unit of work as a run of Ray Train: its processes, its second tries, and why it failed."""

import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import ray.train
from ray.exceptions import RayActorError
from ray.train import Checkpoint, CheckpointConfig, FailureConfig, RunConfig, ScalingConfig
from ray.train.torch import TorchConfig, TorchTrainer

from raymed.cluster.elastic import CORE, processes_for
from raymed.cluster.mailbox import Mailbox
from raymed.cluster.scratch import Scratch, storage_of
from raymed.cluster.spreading import process_resources
from raymed.cluster.telling import Telling
from raymed.cluster.units import Fault, Returned, Unit
from raymed.errors import RaymedError

TRIES = 2
"""A unit whose process died is tried once more."""
_ROOM_LIMIT = "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S"
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
    for tried in range(TRIES + can_lose):
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
