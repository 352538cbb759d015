"""What a sweep runs in a worker of Tune's: the units of one trial, one after the other."""

import os
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import ray.tune

from raymed.cluster.mailbox import Mailbox
from raymed.cluster.scratch import Scratch
from raymed.cluster.telling import Telling
from raymed.cluster.train_run import fit
from raymed.cluster.units import Fault, Returned, Unit

_END_SECONDS = "600"
"""How long a worker waits for a stopped unit to let go of its model before the next trial."""


@dataclass(frozen=True)
class Work:
    """A trial's units that are left, by name, as they travel to a worker.

    `by_epoch`: the end of each epoch is reported too, and waits for what is decided.
    """

    units: Mapping[str, Unit]
    gpus: float
    scratch: Scratch
    by_epoch: bool = False
    kind: str | None = None

    def without(self, name: str) -> "Work":
        """Drop a unit: a trial whose worker died begins again behind what is done."""
        return replace(self, units={key: self.units[key] for key in self.units if key != name})


def work_on(config: dict[str, Any], mailbox: Mailbox) -> None:
    """Work on a trial's units, in a worker of Tune's; it says how each one ended."""
    import torch

    torch.set_num_threads(1)
    work: Work = config["work"]
    telling = Telling()
    if work.by_epoch:  # Tune's own two seconds, once over, lose the next trial without a word
        os.environ["TUNE_FUNCTION_THREAD_TIMEOUT_S"] = _END_SECONDS
    for name, unit in work.units.items():
        if unit.workers > 1:
            end = fit(name, unit, mailbox, work.gpus, work.scratch, work.kind)
        else:
            end = _alone(name, unit, mailbox, telling, work.by_epoch)
            telling.ended(well=isinstance(end, Returned))
        ray.tune.report({"name": name, "end": end})
        if isinstance(end, Fault):
            return


def _alone(
    name: str, unit: Unit, mailbox: Mailbox, telling: Telling, by_epoch: bool
) -> Fault | Returned:
    """Work on a unit here; the next one, of this trial or another, finds its memory free."""
    from raymed.training.freeing import free_memory

    with ExitStack() as stack:
        stack.callback(free_memory)
        work = unit.work()
        stack.callback(work.close)
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                return Returned(end.value)
            except Exception as error:
                return Fault.of(error)
            mailbox.put(name, telling.told(progress))
            if by_epoch and progress.curve is not None:
                # where the trial is stopped, Tune raises SystemExit here, and the unit is closed
                ray.tune.report({"name": name, "progress": progress})
