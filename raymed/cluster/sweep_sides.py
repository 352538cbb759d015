"""The sides of Tune that a sweep answers to: searcher, scheduler, stopper. They only pass on."""

from collections.abc import Callable
from typing import Any, TypeAlias

import ray.tune
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher

from raymed.cluster.sweep_trials import Trials
from raymed.cluster.sweep_worker import Work
from raymed.cluster.units import AnyUnit

AsWork: TypeAlias = Callable[[dict[str, Any]], Work]
"""Makes of a trial's units by name what travels to its worker."""


class Asking(Searcher):  # type: ignore[misc]
    """Tune's searcher: it asks for trials."""

    def __init__(self, trials: Trials[AnyUnit], as_work: AsWork) -> None:
        super().__init__()
        self._trials, self._as_work = trials, as_work
        self._numbers: dict[str, int] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Give the next trial, as Tune wants it."""
        asked = self._trials.ask()
        if asked is None:
            return str(Searcher.FINISHED)
        if asked == "wait":
            return None
        number, units = asked
        self._numbers[trial_id] = number
        return {"number": number, "work": self._as_work(units)}

    def on_trial_complete(
        self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False
    ) -> None:
        """Let go of a trial; where its worker died, say so."""
        number = self._numbers.pop(trial_id)
        if error:
            self._trials.died(number)
        self._trials.forget(number)

    def on_trial_result(self, trial_id: str, result: dict[str, Any]) -> None:
        """Leave it to the scheduler, which is asked first."""

    def save(self, checkpoint_path: str) -> None:
        """Keep nothing: the study is what a sweep continues from."""

    def restore(self, checkpoint_path: str) -> None:
        """Never asked for."""


class Deciding(FIFOScheduler):  # type: ignore[misc]
    """Tune's scheduler: after each unit of a trial, or each epoch, it asks whether that goes on."""

    def __init__(self, trials: Trials[AnyUnit]) -> None:
        super().__init__()
        self._trials = trials
        self._ended: list[Any] = []

    def on_trial_result(self, controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass on what a worker said; the answer is Tune's word for going on or stopping."""
        number, name = trial.config["number"], result.get("name", "")
        goes_on = True
        if "end" in result:
            work: Work = trial.config["work"]
            trial.config["work"] = work.without(name)  # should its worker die, it begins behind it
            goes_on = self._trials.heard(number, name, result["end"])
        elif "progress" in result:
            goes_on = self._trials.heard_epoch(number, name, result["progress"])
        return str(TrialScheduler.CONTINUE if goes_on else TrialScheduler.STOP)

    def on_trial_complete(self, controller: Any, trial: Any, result: dict[str, Any]) -> None:
        """Empty what Tune keeps of the trials before: thousands must not fill the driver."""
        for ended in self._ended:
            ended.config = {}
            ended.run_metadata.last_result = {}
            ended.run_metadata.metric_analysis = {}
            ended.run_metadata.metric_n_steps = {}
            ended.invalidate_json_state()
        self._ended = [trial]


class Stopped(ray.tune.Stopper):  # type: ignore[misc]
    """Ends the whole run when its caller stops listening."""

    def __init__(self, trials: Trials[AnyUnit]) -> None:
        self._trials = trials

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Leave single trials to the scheduler."""
        return False

    def stop_all(self) -> bool:
        """Tell whether the caller has stopped listening."""
        return self._trials.stopped.is_set()
