"""What decides in a sweep: the study says what is tried, the folds what becomes of it."""

import queue
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Literal

from raymed.cluster import Failed, Finished, TrialUnits
from raymed.config import Experiment
from raymed.errors import BuildError, InputError
from raymed.pipeline.board import Cell, Row
from raymed.pipeline.events import Event, Note, Plan, TrialEnded
from raymed.pipeline.members import Member, finish_member
from raymed.pipeline.prepare import Prepared, decode
from raymed.pipeline.tune.at_work import AtWork, finished_folds, trial_member
from raymed.pipeline.tune.fold_scores import held_out_rows, log_loss_of
from raymed.pipeline.tune.tallying import tally_of
from raymed.pipeline.units import FeatureUnit, FoldUnit, feature_units, fold_units
from raymed.runs import RunFolder
from raymed.search import (
    LeaseLostError,
    SharedStudy,
    Trial,
    first_error,
    fold_order,
    is_as_it_stands,
    stored,
    worse_by_patient,
)

AnyUnit = FeatureUnit | FoldUnit


@dataclass
class Deciding:
    """Asks the study for trials, and tells it what their folds come to.

    `news` is what there is to tell the reader. All but that is used in the engine's thread.
    """

    experiment: Experiment
    run: RunFolder
    prepared: Prepared
    study: SharedStudy
    device: str
    workers: int
    gpus: float
    at_once: int = 1
    paired: bool = False
    waiting: list[Trial] = field(default_factory=list)
    """Trials that another driver left, to be gone on with before new ones."""
    at_work: dict[int, AtWork] = field(default_factory=dict)
    sizes: set[int] = field(default_factory=set)
    """Sizes that images are decoded at."""
    news: "queue.SimpleQueue[Event]" = field(default_factory=queue.SimpleQueue)

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
            self._score(self.at_work[trial.number])

    def heard(self, number: int, said: Finished[AnyUnit] | Failed[AnyUnit]) -> bool:
        """Take in how a unit ended; whether its trial goes on."""
        work = self.at_work[number]
        try:
            return self._took_in(work, said)
        except LeaseLostError as error:
            self.at_work.pop(number, None)
            self.news.put(Note(str(error), warning=True))
            return False

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
        self._report(work, fold)
        self._show(work, said.unit.part, Cell("done", seconds=result.facts["seconds"]))
        if len(work.done) == self.prepared.folds.count:
            self._score(work)
            return False
        if self._hopeless(work):
            self._end(work, pruned=True)
            return False
        return True

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
        features = feature_units(self.experiment, [member], self.prepared, self.device)
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
            self._report(work, fold)
        self._plan()
        return [*features, *units] if units else []

    def _decode(self, size: int) -> None:
        if size not in self.sizes:
            cache = self.experiment.cluster.cache_folder
            for _ in decode(cache, self.prepared.manifest, size):
                pass
            self.sizes.add(size)

    def _report(self, work: AtWork, fold: int) -> None:
        value = log_loss_of(held_out_rows([work.done[fold]]), by_patient=self._by_patient)
        seconds = float(work.member.folder.fold_facts(fold)["seconds"])
        self.study.report(work.trial, fold, value, seconds, self.gpus)

    def _score(self, work: AtWork) -> None:
        """End a trial whose folds are all there: it is a member, with its pooled score."""
        finish_member(work.member, self.prepared.folds.count)
        rows = held_out_rows([*work.done.values()])
        value = log_loss_of(rows, by_patient=self._by_patient)
        values = [value]
        if len(self.study.study.directions) == 2:
            folds = range(self.prepared.folds.count)
            values.append(sum(work.member.folder.fold_facts(fold)["seconds"] for fold in folds))
        self._end(work, values=values)

    def _end(
        self,
        work: AtWork,
        values: list[float] | None = None,
        *,
        pruned: bool = False,
        failed: str | None = None,
    ) -> None:
        state = self.study.finish(work.trial, values, pruned=pruned, failed=failed)
        del self.at_work[work.trial.number]
        self._plan()
        best = self.study.best()
        self.news.put(
            TrialEnded(
                work.trial.number,
                state.name.lower(),
                folds=len(work.done),
                value=values[0] if values else None,
                best=None if best is None else (best.number, best.values[0]),
                reason=failed or "",
            )
        )

    def _hopeless(self, work: AtWork) -> bool:
        if self.study.should_prune(work.trial):
            return True
        best = self.study.best() if self.paired else None
        if best is None or is_as_it_stands(stored(work.trial)):
            return False
        recipe = self.study.suggest(best)
        rival = trial_member(self.experiment, self.run, self.prepared, best.number, recipe)
        others = [*finished_folds(rival, self.prepared).values()]
        return worse_by_patient(held_out_rows([*work.done.values()]), held_out_rows(others))

    @property
    def _by_patient(self) -> bool:
        return self.prepared.manifest.patients_declared

    def _show(self, work: AtWork, part: str, cell: Cell) -> None:
        work.row.cells = {**work.row.cells, part: cell}
        self._plan()

    def _plan(self) -> None:
        rows = tuple(work.row for work in self.at_work.values())
        self.news.put(tally_of(self.study, self.at_once, self.gpus))
        self.news.put(Plan(rows, self.workers))
