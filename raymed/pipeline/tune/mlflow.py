"""A sweep as MLflow shows it: a run for the study, below it a run a trial."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from raymed.pipeline.tune.logs import Attempts, figures
from raymed.pipeline.tune.tracking import Tracking
from raymed.search import error_of

STATUS = {
    TrialState.COMPLETE: "FINISHED",
    TrialState.PRUNED: "KILLED",
    TrialState.FAIL: "FAILED",
}
STUDY_TAG, TRIAL_TAG, PARENT_TAG = "raymed.study", "raymed.trial", "mlflow.parentRunId"
PAGE = 1000
"""How many runs are asked for at once."""


@dataclass
class Run:
    """A trial's run: what of it is logged by now."""

    id: str
    figures: set[str] = field(default_factory=set)
    parameters: set[str] = field(default_factory=set)
    ended: bool = False


@dataclass
class MlflowRuns:
    """A study's runs in a tracking store; what is there already is found, and not repeated."""

    tracking: Tracking
    token: str
    parent: str = ""
    runs: dict[int, Run] = field(default_factory=dict)

    def knows(self, number: int) -> bool:
        """Tell whether all of a trial that has ended is logged."""
        return number in self.runs and self.runs[number].ended

    def look(self) -> None:
        """Find the study's run, or make it, and the runs of its trials. Raises `LogError`."""
        client = self.tracking.client
        with self.tracking.speaking():
            found = list(self._search(f"tags.`{STUDY_TAG}` = '{self.token}'"))
            if found:
                self.parent = found[0].info.run_id
                client.update_run(self.parent, status="RUNNING")
            else:
                run = client.create_run(
                    self.tracking.experiment,
                    tags={STUDY_TAG: self.token},
                    run_name=self.tracking.name,
                )
                self.parent = run.info.run_id
            for run in self._search(f"tags.`{PARENT_TAG}` = '{self.parent}'"):
                if number := run.data.tags.get(TRIAL_TAG):
                    self.runs[int(number)] = Run(
                        run.info.run_id,
                        set(run.data.metrics),
                        set(run.data.params),
                        run.info.status in STATUS.values(),
                    )

    def log(self, trial: FrozenTrial, attempts: Attempts) -> None:
        """Log what of a trial is not yet. Raises `LogError`."""
        from mlflow.entities import Metric, Param

        client, now = self.tracking.client, int(time.time() * 1000)
        with self.tracking.speaking():
            run = self.runs.get(trial.number) or self._create(trial)
            known = {_allowed(name): value for name, value in trial.params.items()}
            params = {name: known[name] for name in known.keys() - run.parameters}
            metrics = {
                name: value for name, value in figures(trial).items() if name not in run.figures
            }
            if params or metrics:
                client.log_batch(
                    run.id,
                    metrics=[Metric(name, value, now, 0) for name, value in metrics.items()],
                    params=[Param(name, str(value)) for name, value in params.items()],
                )
            run.parameters |= params.keys()
            run.figures |= metrics.keys()
            if trial.state.is_finished() and not run.ended:
                client.set_tag(run.id, "state", trial.state.name)
                if error := error_of(trial):
                    client.set_tag(run.id, "error", error)
                end = _milliseconds(trial.datetime_complete)
                client.set_terminated(run.id, STATUS[trial.state], end)
                run.ended = True

    def close(self) -> None:
        """Say that no driver is at work. Raises `LogError`."""
        with self.tracking.speaking():
            self.tracking.client.set_terminated(self.parent)

    def _create(self, trial: FrozenTrial) -> Run:
        created = self.tracking.client.create_run(
            self.tracking.experiment,
            start_time=_milliseconds(trial.datetime_start),
            tags={PARENT_TAG: self.parent, TRIAL_TAG: str(trial.number)},
            run_name=f"trial-{trial.number}",
        )
        run = Run(created.info.run_id)
        self.runs[trial.number] = run
        return run

    def _search(self, wanted: str) -> Iterator[Any]:
        token = None
        while True:
            page = self.tracking.client.search_runs(
                [self.tracking.experiment], wanted, max_results=PAGE, page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return


def _allowed(name: str) -> str:
    """Write a parameter's name with what MLflow takes in one."""
    return re.sub(r"[^\w\-. :/]", "_", name)


def _milliseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1000)
