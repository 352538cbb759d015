"""What decides in a sweep: the study says what is tried, the folds what becomes of it."""

import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from optuna.trial import FrozenTrial

from raymed.cluster import Failed, Finished, TrialUnits
from raymed.config import Experiment
from raymed.errors import BuildError, InputError
from raymed.pipeline.board import Cell, Row
from raymed.pipeline.decoding import ImageCache, decode
from raymed.pipeline.events import Event, Note, Plan, TrialEnded
from raymed.pipeline.members import Member
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.tally import Tally
from raymed.pipeline.tune.at_work import AtWork, finished_folds, trial_member
from raymed.pipeline.tune.logs import Logs
from raymed.pipeline.tune.scoring import Scoring
from raymed.pipeline.tune.tallying import tally_of
from raymed.pipeline.units import FeatureUnit, FoldUnit, feature_units, fold_units
from raymed.runs import RunFolder
from raymed.search import (
    LeaseLostError,
    SharedStudy,
    Trial,
    first_error,
    fold_order,
    stored,
)
from raymed.training import Progress

AnyUnit = FeatureUnit | FoldUnit


@dataclass
class Deciding:
    """Asks the study for trials, and tells it what their folds come to.

    `at_once` trials run side by side, `gpus` each. `news` is what there is to tell the reader; all
    but that is used in the engine's thread.
    """

    experiment: Experiment
    run: RunFolder
    prepared: Prepared
    study: SharedStudy
    device: str
    at_once: int
    scoring: Scoring
    waiting: list[Trial] = field(default_factory=list)
    """Trials that another driver left, to be gone on with before new ones."""
    at_work: dict[int, AtWork] = field(default_factory=dict)
    sizes: set[int] = field(default_factory=set)
    """Sizes that images are decoded at."""
    news: "queue.SimpleQueue[Event]" = field(default_factory=queue.SimpleQueue)
    logs: Logs = field(default_factory=Logs)

    def ask(self) -> TrialUnits[AnyUnit] | Literal["wait"] | None:
        """Give the next trial's units; None when the study has none any more."""
        while True:
            self._refuse_hopeless()
            trial = self.waiting.pop(0) if self.waiting else self._asked()
            if trial is None:
                return None
            member = self._member(trial)
            if member.id in {other.member.id for other in self.at_work.values()}:
                self.waiting.insert(0, trial)  # the same recipe is at work: its folds will do
                return "wait"
            units = self._begin(trial, member)
            if units:
                return TrialUnits(trial.number, tuple(units))
            self._complete(self.at_work[trial.number])

    def heard(self, number: int, said: Finished[AnyUnit] | Failed[AnyUnit]) -> bool:
        """Take in how a unit ended; whether its trial goes on."""
        with self._letting_go(number):
            return self._took_in(self.at_work[number], said)
        return False

    def heard_epoch(self, number: int, unit: AnyUnit, progress: Progress) -> bool:
        """Take in the epochs of a fold so far; whether it goes on, and its trial with it."""
        assert isinstance(unit, FoldUnit)
        with self._letting_go(number):
            work = self.at_work[number]
            self.scoring.report_epoch(work, unit.fold, progress)
            if not self.study.should_stop_fold(work.trial, unit.fold):
                return True
            self._end(work, pruned=True, within=(unit.fold, progress.epoch))
        return False

    @contextmanager
    def _letting_go(self, number: int) -> Iterator[None]:
        """Drop a trial that another driver has taken over, and say so."""
        try:
            yield
        except LeaseLostError as error:
            self.at_work.pop(number, None)
            self.news.put(Note(str(error), warning=True))

    def _took_in(self, work: AtWork, said: Finished[AnyUnit] | Failed[AnyUnit]) -> bool:
        if isinstance(said, Failed):
            fold = said.unit.fold if isinstance(said.unit, FoldUnit) else 0
            work.member.folder.record_failure(fold, said.reason, said.trace)
            self._end(work, failed=f"{said.unit.part}: {said.reason}")
            return False
        if isinstance(said.unit, FeatureUnit):
            self._show(work, said.unit.part, Cell("done"))
            return True
        result, fold = said.result, said.unit.fold
        work.member.folder.finish_fold(fold, result.attempt, **result.facts)
        work.done[fold] = result.attempt
        self.scoring.report(work, fold)
        self.logs.log(stored(work.trial), work.done)
        self._show(work, said.unit.part, Cell("done", seconds=result.facts["seconds"]))
        if len(work.done) == self.prepared.folds.count:
            self._complete(work)
            return False
        if self.scoring.hopeless(work):
            self._end(work, pruned=True)
            return False
        return True

    def attempts(self, trial: FrozenTrial) -> dict[int, Path]:
        """Give the attempts that count of a stored trial's folds, where they lie here."""
        recipe = self.study.suggest(trial)
        member = trial_member(self.experiment, self.run, self.prepared, trial.number, recipe)
        return finished_folds(member, self.prepared)

    def tally(self) -> Tally:
        """Count the study's trials and costs."""
        return tally_of(self.study, self.at_once, self.scoring.gpus)

    def release(self) -> None:
        """Leave what is at work to the next driver: nobody has died."""
        for trial in [*(work.trial for work in self.at_work.values()), *self.waiting]:
            with suppress(LeaseLostError):
                self.study.release(trial)

    def _refuse_hopeless(self) -> None:
        error = first_error(self.study.study.get_trials(deepcopy=False))
        if error is not None:
            raise BuildError(f"every trial so far failed; the first one: {error}")

    def _asked(self) -> Trial | None:
        while True:
            try:
                return self.study.ask()
            except InputError as error:  # a combination that no recipe may have
                self.news.put(Note(f"a trial failed: {error}", warning=True))
                self._refuse_hopeless()

    def _member(self, trial: Trial) -> Member:
        return trial_member(self.experiment, self.run, self.prepared, trial.number, trial.chosen)

    def _begin(self, trial: Trial, member: Member) -> list[AnyUnit]:
        """List what is left of a trial, its folds in its own order; those done are told."""
        self._decode(trial.chosen.size)
        features = feature_units(self.experiment, self.run, [member], self.prepared, self.device)
        units = fold_units(self.experiment, self.run, [member], self.prepared, self.device)
        order = fold_order(self.experiment.seed, trial.number, self.prepared.folds.count)
        units.sort(key=lambda unit: order.index(unit.fold))
        cells = {unit.part: Cell() for unit in features}
        done = finished_folds(member, self.prepared)
        for fold in range(self.prepared.folds.count):
            seconds = member.folder.fold_facts(fold)["seconds"] if fold in done else None
            cells[f"fold {fold}"] = Cell("done", seconds=seconds) if fold in done else Cell()
        work = AtWork(trial, member, Row(member.name, member.id, cells), done)
        self.at_work[trial.number] = work
        for fold in done:
            self.scoring.report(work, fold)
        self.logs.log(stored(trial), done)
        self._plan()
        return [*features, *units] if units else []

    def _decode(self, size: int) -> None:
        if size not in self.sizes:
            cache = ImageCache.of(self.experiment.cluster)
            for event in decode(cache, self.prepared.manifest, size):
                if isinstance(event, Note):
                    self.news.put(event)
            self.sizes.add(size)

    def _complete(self, work: AtWork) -> None:
        self._end(work, values=self.scoring.finish(work))

    def _end(
        self,
        work: AtWork,
        values: list[float] | None = None,
        *,
        pruned: bool = False,
        within: tuple[int, int] | None = None,
        failed: str | None = None,
    ) -> None:
        state = self.study.finish(work.trial, values, pruned=pruned, failed=failed)
        del self.at_work[work.trial.number]
        self.logs.log(stored(work.trial), work.done)
        self._plan()
        best = self.study.best()
        self.news.put(
            TrialEnded(
                work.trial.number,
                state.name.lower(),
                folds=len(work.done),
                value=values[0] if values else None,
                within=within,
                best=None if best is None else (best.number, best.values[0]),
                reason=failed or "",
            )
        )

    def _show(self, work: AtWork, part: str, cell: Cell) -> None:
        work.row.cells = {**work.row.cells, part: cell}
        self._plan()

    def _plan(self) -> None:
        rows = tuple(work.row for work in self.at_work.values())
        self.news.put(self.tally())
        self.news.put(Plan(rows, self.at_once))
