"""The sweep engine: Ray Tune runs trials; what decides about them is asked, and decides."""

import logging
import queue
import threading
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Generic, Literal

import ray
import ray.tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from raymed.cluster.mailbox import Mailbox
from raymed.cluster.session import environment
from raymed.cluster.train import NEAR_ZERO, fit
from raymed.cluster.trials import Decider, TrialUnits
from raymed.cluster.units import (
    AnyUnit,
    Fault,
    Reported,
    Returned,
    Said,
    Unit,
    ended,
)

_QUIET = {
    "RAY_AIR_NEW_OUTPUT": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
}
_LISTEN_SECONDS = 0.2
_END_SECONDS = 10
"""How long a sweep that is stopped may take to say so; what still runs ends with the session."""


def sweep(
    decider: Decider[AnyUnit], workers: int, gpus: float, processes: int, scratch: Path
) -> Iterator[Said[AnyUnit] | None]:
    """Run trials in the running Ray until none is left; what their units say, as it comes.

    None comes when nothing was said for a moment.

    `workers` processes at once, `gpus` each; a unit takes `processes` of them, and where that is
    more than one each unit is a Ray Train run of its own. The caller may stop taking events: what
    is running ends. What the decider raises is raised here.
    """
    run = _Run(decider, gpus, processes, scratch)
    thread = threading.Thread(target=run.fit, args=(max(1, workers // processes),), daemon=True)
    thread.start()
    try:
        while thread.is_alive() or not run.said.empty():
            yield from run.listen()
    finally:
        run.stopped.set()
        thread.join(_END_SECONDS)
    if run.error is not None:
        raise run.error


class _Run(Generic[AnyUnit]):
    """One run of Tune, and what its searcher and its scheduler share."""

    def __init__(
        self, decider: Decider[AnyUnit], gpus: float, processes: int, scratch: Path
    ) -> None:
        self.decider, self.gpus, self.processes, self.scratch = decider, gpus, processes, scratch
        self.said: queue.SimpleQueue[Said[AnyUnit]] = queue.SimpleQueue()
        self.stopped = threading.Event()
        self.error: Exception | None = None
        self._mailbox = Mailbox()
        self._left: dict[int, dict[str, AnyUnit]] = {}

    def __reduce__(self) -> tuple[type[None], tuple[()]]:
        """Leave nothing in the state that Tune pickles and that nobody reads."""
        return type(None), ()

    def listen(self) -> Iterator[Said[AnyUnit] | None]:
        """Give what units said, reports before ends; waits a moment at most."""
        at_work = {name: unit for left in list(self._left.values()) for name, unit in left.items()}
        for name, progress in self._mailbox.take():
            if name in at_work:
                yield Reported(at_work[name], progress)
        try:
            yield self.said.get(timeout=_LISTEN_SECONDS)
            while True:
                yield self.said.get_nowait()
        except queue.Empty:
            yield None

    def fit(self, at_once: int) -> None:
        """Run Tune to its end."""
        alone = {"CPU": 1.0} | ({"GPU": self.gpus} if self.gpus else {})
        resources = alone if self.processes == 1 else {"CPU": NEAR_ZERO}
        logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        with environment(_QUIET):
            try:
                ray.tune.Tuner(
                    ray.tune.with_resources(
                        ray.tune.with_parameters(_work, mailbox=self._mailbox), resources
                    ),
                    tune_config=ray.tune.TuneConfig(
                        search_alg=_Asking(self),
                        scheduler=_Deciding(self),
                        num_samples=-1,
                        max_concurrent_trials=at_once,
                        reuse_actors=self.processes == 1,
                    ),
                    run_config=ray.tune.RunConfig(
                        name=f"sweep-{uuid.uuid4().hex[:8]}",
                        storage_path=str(self.scratch),
                        stop=_Stopped(self),
                        failure_config=ray.tune.FailureConfig(max_failures=1),
                        verbose=0,
                    ),
                ).fit()
            except Exception as error:
                self.fail(error)
            except SystemExit:  # Ray's way out of a wait, when the session ended before Tune did
                self.stopped.set()

    def fail(self, error: Exception) -> None:
        """Keep the first thing that went wrong, and stop."""
        if not self.stopped.is_set():
            self.error = error
        self.stopped.set()

    def ask(self) -> dict[str, Any] | str | None:
        """Ask for the next trial, as Tune wants it."""
        asked: TrialUnits[AnyUnit] | Literal["wait"] | None = None
        try:
            if not self.stopped.is_set():
                asked = self.decider.ask()
        except Exception as error:
            self.fail(error)
        if asked is None:
            return str(Searcher.FINISHED)
        if asked == "wait":
            return None
        units = {uuid.uuid4().hex[:12]: unit for unit in asked.units}
        self._left[asked.number] = units
        return {"number": asked.number, "work": _Work(units, self.gpus, str(self.scratch))}

    def heard(self, number: int, name: str, end: Fault | Returned) -> bool:
        """Tell how a unit ended; whether its trial goes on. A unit told twice changes nothing."""
        unit = self._left.get(number, {}).pop(name, None)
        if unit is None or self.stopped.is_set():
            return not self.stopped.is_set()
        said = ended(unit, end)
        self.said.put(said)
        try:
            return self.decider.heard(number, said)
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


@dataclass(frozen=True)
class _Work:
    """A trial's units that are left, by name, as they travel to a worker."""

    units: Mapping[str, Unit]
    gpus: float
    scratch: str

    def without(self, name: str) -> "_Work":
        """Drop a unit: a trial whose worker died begins again behind what is done."""
        return replace(self, units={key: self.units[key] for key in self.units if key != name})


def _work(config: dict[str, Any], mailbox: Mailbox) -> None:
    """Work on a trial's units, in a worker of Tune's; it says how each one ended."""
    import torch

    torch.set_num_threads(1)
    work: _Work = config["work"]
    for name, unit in work.units.items():
        if unit.workers > 1:
            end = fit(name, unit, mailbox, work.gpus, work.scratch)
        else:
            end = _alone(name, unit, mailbox)
        ray.tune.report({"name": name, "end": end})
        if isinstance(end, Fault):
            return


def _alone(name: str, unit: Unit, mailbox: Mailbox) -> Fault | Returned:
    with ExitStack() as stack:
        work = unit.work()
        stack.callback(work.close)
        while True:
            try:
                mailbox.put(name, next(work))
            except StopIteration as end:
                return Returned(end.value)
            except Exception as error:
                return Fault.of(error)


class _Asking(Searcher):  # type: ignore[misc]
    """Tune's searcher: it only passes on."""

    def __init__(self, run: _Run[Any]) -> None:
        super().__init__()
        self._run = run
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        asked = self._run.ask()
        if isinstance(asked, dict):
            self._numbers[trial_id] = asked["number"]
        return asked

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        number = self._numbers.pop(trial_id)
        if error:
            self._run.died(number)
        self._run.forget(number)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Leave it to the scheduler, which is asked first."""

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the study is what a sweep continues from."""

    def restore(self, checkpoint_path: str) -> None:
        """Never asked for."""


class _Deciding(FIFOScheduler):  # type: ignore[misc]
    """Tune's scheduler: after each unit of a trial it asks whether that goes on."""

    def __init__(self, run: _Run[Any]) -> None:
        super().__init__()
        self._run = run

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        if "end" not in result:
            return str(TrialScheduler.CONTINUE)
        name, work = result["name"], trial.config["work"]
        trial.config["work"] = work.without(name)  # should its worker die, it begins behind it
        goes_on = self._run.heard(trial.config["number"], name, result["end"])
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)


class _Stopped(ray.tune.Stopper):  # type: ignore[misc]
    """Ends the whole run when its caller stops listening."""

    def __init__(self, run: _Run[Any]) -> None:
        self._run = run

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._run.stopped.is_set()
