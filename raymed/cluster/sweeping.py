"""The sweep engine: Ray Tune runs trials; what decides about them is asked, and decides."""

import logging
import queue
import threading
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Generic

import ray
import ray.tune

from raymed.cluster.groups import Freeing, free_groups
from raymed.cluster.mailbox import Mailbox
from raymed.cluster.scratch import Scratch, storage_of
from raymed.cluster.session import environment
from raymed.cluster.spreading import PATIENCE_SECONDS, Patience, process_resources
from raymed.cluster.sweep_sides import Asking, Deciding, Stopped
from raymed.cluster.sweep_trials import Trials
from raymed.cluster.sweep_worker import Work, work_on
from raymed.cluster.trials import Decider
from raymed.cluster.units import AnyUnit, Reported, Said

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "86400",  # of its own state, which nobody reads and which grows
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_WAITING = {"memory": 1.0}
"""What a trial takes whose units are runs of Ray Train: a byte, as they may need every core."""
_LISTEN_SECONDS = 0.2
_END_SECONDS = 15
"""How long a sweep that is stopped may take to say so: Tune ends a trial amid a unit after ten."""


def sweep(
    decider: Decider[AnyUnit],
    workers: int,
    gpus: float,
    processes: int,
    scratch: Scratch,
    *,
    by_epoch: bool = False,
    kind: str | None = None,
    patience: float = PATIENCE_SECONDS,
) -> Iterator[Said[AnyUnit] | None]:
    """Run trials in the running Ray until none is left; what their units say, as it comes.

    None comes when nothing was said for a moment.

    `workers` processes at once, `gpus`, of a `kind`, each; a unit takes `processes` of them, and
    where that is more than one each unit is a Ray Train run of its own. `by_epoch`: the decider is
    also asked after each epoch, of units of one process. The caller may stop taking events: what
    is running ends. What the decider raises is raised here.
    """
    assert processes == 1 or not by_epoch
    run = _Run(decider, gpus, processes, scratch, by_epoch, kind, patience)
    thread = threading.Thread(target=run.fit, args=(max(1, workers // processes),), daemon=True)
    thread.start()
    try:
        while thread.is_alive() or not run.trials.said.empty():
            yield from run.listen()
    finally:
        run.trials.stopped.set()
        thread.join(_END_SECONDS)
        free_groups(of_the_dead=False)
    if run.trials.error is not None:
        raise run.trials.error


class _Run(Generic[AnyUnit]):
    """One run of Tune."""

    def __init__(
        self,
        decider: Decider[AnyUnit],
        gpus: float,
        processes: int,
        scratch: Scratch,
        by_epoch: bool,
        kind: str | None,
        patience: float,
    ) -> None:
        self.trials = Trials(decider)
        self._gpus, self._processes, self._scratch = gpus, processes, scratch
        self._kind = kind
        self._as_work = partial(
            Work, gpus=gpus, scratch=self._scratch, by_epoch=by_epoch, kind=kind
        )
        self._mailbox, self._groups = Mailbox(), Freeing()
        self._patience = Patience(gpus, kind, patience)

    def listen(self) -> Iterator[Said[AnyUnit] | None]:
        """Give what units said, reports before ends; waits a moment at most."""
        self._groups.now_and_then()
        at_work = self.trials.at_work()
        self._patience.now_and_then(unit.fewest for unit in at_work.values())
        for name, progress in self._mailbox.take():
            if name in at_work:
                self._patience.begun()
                yield Reported(at_work[name], progress)
        try:
            yield self.trials.said.get(timeout=_LISTEN_SECONDS)
            while True:
                yield self.trials.said.get_nowait()
        except queue.Empty:
            yield None

    def fit(self, at_once: int) -> None:
        """Run Tune to its end."""
        alone = self._processes == 1
        resources = process_resources(self._gpus, self._kind) if alone else _WAITING
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        with environment(_QUIET):
            try:
                ray.tune.Tuner(
                    ray.tune.with_resources(
                        ray.tune.with_parameters(work_on, mailbox=self._mailbox), resources
                    ),
                    tune_config=ray.tune.TuneConfig(
                        search_alg=Asking(self.trials, self._as_work),
                        scheduler=Deciding(self.trials),
                        num_samples=-1,
                        max_concurrent_trials=at_once,
                        reuse_actors=self._processes == 1,
                    ),
                    run_config=ray.tune.RunConfig(
                        name=f"sweep-{uuid.uuid4().hex[:8]}",
                        **storage_of(self._scratch),
                        stop=Stopped(self.trials),
                        failure_config=ray.tune.FailureConfig(max_failures=1),
                        verbose=0,
                    ),
                ).fit()
            except Exception as error:
                self.trials.fail(error)
            except SystemExit:  # Ray's way out of a wait, when the session ended before Tune did
                self.trials.stopped.set()
