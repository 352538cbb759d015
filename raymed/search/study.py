"""`SharedStudy`: an Optuna study that several drivers share, and that outlives any of them."""

import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import optuna
from optuna.storages import BaseStorage
from optuna.study import StudyDirection
from optuna.trial import BaseTrial, FrozenTrial, TrialState

from raymed.search.budget import DRIVER, EPOCHS, FOLD, Budget, Spent, drivers, spent_by
from raymed.search.halving import Halving
from raymed.search.leases import (
    DEATHS,
    DEATHS_TO_FAIL,
    HOLDER,
    RELEASED,
    LeaseLostError,
    deaths_after,
    holder,
    is_abandoned,
)
from raymed.search.locks import study_lock
from raymed.search.sampling import Sampler, make_sampler, trial_seed
from raymed.search.storage import close_storage
from raymed.search.trials import (
    ERROR,
    ORIGIN,
    Trial,
    describe_error,
    epoch_curve,
    fold_values,
    is_as_it_stands,
    stored,
)


@dataclass(frozen=True)
class SharedStudy:
    """One driver's view of a study. Call `heartbeat` often: at 120 s of silence others take over.

    `suggest` turns a trial's parameters into what is tried. Every trial is asked, run and finished
    by one driver at a time; `open_study` makes this.
    """

    study: optuna.Study
    storage: BaseStorage
    folder: Path
    suggest: Callable[[BaseTrial], Any]
    seed: int
    folds: int
    started: float
    budget: Budget
    sampler: Sampler = "tpe"
    halving: Halving | None = None
    clock: Callable[[], float] = time.time
    driver: str = field(default_factory=lambda: uuid.uuid4().hex[:12])
    token: str = ""
    """A word that no other study has, the same for all its drivers."""

    def heartbeat(self) -> None:
        """Tell the other drivers that this one lives."""
        self.study.set_user_attr(f"{DRIVER}{self.driver}", [self.started, self.clock()])

    def close(self) -> None:
        """Close what the study is kept in; what runs stays this driver's until its lease ends."""
        close_storage(self.storage)

    def spent(self) -> Spent:
        """Add up what the study has cost, all drivers together."""
        return spent_by(self.study)

    def enqueue(self, params: dict[str, Any], origin: str) -> bool:
        """Have a point tried before what the sampler finds; False where it is there already."""
        with study_lock(self.storage, self.study.study_name, self.folder):
            before = len(self.study.get_trials(deepcopy=False))
            self.study.enqueue_trial(params, user_attrs={ORIGIN: origin}, skip_if_exists=True)
            return len(self.study.get_trials(deepcopy=False)) > before

    def ask(self) -> Trial | None:
        """Begin the next trial, or give None: a budget is spent, or others hold the rest of it."""
        with study_lock(self.storage, self.study.study_name, self.folder):
            self.heartbeat()
            if self.budget.exhausted(self.spent()) is not None:
                return None
            handle = self.study.ask()
            handle.set_user_attr(HOLDER, self.driver)
        return self._begin(handle)

    def adopt(self, alone: bool = False) -> list[Trial]:
        """Take over the running trials of dead drivers: same numbers, same parameters.

        `alone`: the caller knows that no other driver lives; otherwise its lease must have run
        out. What two drivers died of is marked FAIL. Never what this driver itself holds.
        """
        adopted = []
        with study_lock(self.storage, self.study.study_name, self.folder):
            self.heartbeat()
            known, now = drivers(self.study), self.clock()
            for frozen in self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
                if holder(frozen) == self.driver:
                    continue
                if not alone and not is_abandoned(frozen, known, now):
                    continue
                handle = optuna.Trial(self.study, frozen._trial_id)
                deaths = deaths_after(frozen)
                handle.set_user_attr(DEATHS, deaths)
                if deaths >= DEATHS_TO_FAIL:
                    self._fail(handle, f"its driver died {deaths} times while it ran")
                    continue
                handle.set_user_attr(HOLDER, self.driver)
                adopted.append(handle)
        return [self._begin(handle) for handle in adopted]

    def release(self, trial: Trial) -> None:
        """Leave a trial, unfinished, to whoever goes on with the study; nobody has died."""
        self._held(trial)
        trial.handle.set_user_attr(HOLDER, RELEASED)

    def report(
        self, trial: Trial, fold: int, value: float, seconds: float = 0.0, gpus: float = 0.0
    ) -> None:
        """Store a finished fold's own value, and its cost; a fold that is told again is ignored."""
        if fold in fold_values(self._held(trial)):
            return
        facts = {"value": float(value), "seconds": float(seconds), "gpus": float(gpus)}
        trial.handle.set_user_attr(f"{FOLD}{fold}", facts)
        if self._prunes:
            trial.handle.report(value, step=fold)

    def report_epochs(
        self,
        trial: Trial,
        fold: int,
        values: Sequence[float],
        of: int,
        *,
        seconds: float = 0.0,
        gpus: float = 0.0,
    ) -> None:
        """Store the values of a fold's epochs so far, of `of` in all, and what they cost."""
        self._held(trial)
        values = [float(value) for value in values]
        facts = {"values": values, "of": of, "seconds": float(seconds), "gpus": float(gpus)}
        trial.handle.set_user_attr(f"{EPOCHS}{fold}", facts)

    def should_prune(self, trial: Trial) -> bool:
        """Tell whether a trial is not worth another fold.

        Never after the last one, never with two objectives, never the recipe as it stands; at once
        where a fold's value is not finite.
        """
        frozen = stored(trial)
        values = frozen.intermediate_values
        if not self._prunes or not 0 < len(values) < self.folds:
            return False
        if not np.isfinite(list(values.values())).all():
            return True
        if is_as_it_stands(frozen):
            return False
        return bool(self.study.pruner.prune(self.study, frozen))

    def should_stop_fold(self, trial: Trial, fold: int) -> bool:
        """Tell whether a fold is not worth another epoch; to be asked after each one told.

        Never one of the recipe as it stands: every gain is told against it.
        """
        frozen = stored(trial)
        own = epoch_curve(frozen, fold)
        if self.halving is None or not self._prunes or own is None or is_as_it_stands(frozen):
            return False
        others = [
            curve
            for other in self.study.get_trials(deepcopy=False)
            if other.number != trial.number and (curve := epoch_curve(other, fold)) is not None
        ]
        return self.halving.stops(own, others, self.study.direction == StudyDirection.MINIMIZE)

    def finish(
        self,
        trial: Trial,
        values: Sequence[float] | None = None,
        *,
        pruned: bool = False,
        failed: BaseException | str | None = None,
    ) -> TrialState:
        """Record how a trial ended: with its values, pruned, or failed; give what is recorded.

        Without any of them it is complete with the mean of its folds. A complete trial that lacks
        folds, or a value that is not finite, is recorded as FAIL.
        """
        frozen = self._held(trial)
        if failed is not None:
            return self._fail(trial.handle, failed)
        if pruned:
            self.study.tell(trial.handle, state=TrialState.PRUNED)
            return TrialState.PRUNED
        told = fold_values(frozen)
        if len(told) < self.folds:
            return self._fail(trial.handle, f"only {len(told)} of {self.folds} folds told a value")
        scores = [float(np.mean(list(told.values())))] if values is None else list(values)
        if not np.isfinite(scores).all():
            return self._fail(trial.handle, f"its value is not finite: {scores}")
        self.study.tell(trial.handle, scores)
        return TrialState.COMPLETE

    def best(self) -> FrozenTrial | None:
        """Give the trial with the best score, the first of equals; None while none is complete.

        With two objectives the first is the score.
        """
        complete = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        sign = 1 if self.study.directions[0] == StudyDirection.MINIMIZE else -1
        return min(complete, key=lambda trial: sign * trial.values[0], default=None)

    @property
    def _prunes(self) -> bool:
        return len(self.study.directions) == 1

    def _begin(self, handle: optuna.Trial) -> Trial:
        """Draw the parameters that a trial has not yet, with a sampler of the trial's own seed."""
        self.study.sampler = make_sampler(self.sampler, trial_seed(self.seed, handle.number))
        try:
            chosen = self.suggest(handle)
        except Exception as error:
            self._fail(handle, error)
            raise
        frozen = self.storage.get_trial(handle._trial_id)
        for fold in fold_values(frozen).keys() - frozen.intermediate_values.keys():
            if self._prunes:  # its driver died before it said so
                handle.report(fold_values(frozen)[fold], step=fold)
        deaths = int(frozen.user_attrs.get(DEATHS, 0))
        return Trial(handle.number, chosen, fold_values(frozen), deaths, handle)

    def _fail(self, handle: optuna.Trial, error: BaseException | str) -> TrialState:
        handle.set_user_attr(ERROR, describe_error(error))
        self.study.tell(handle, state=TrialState.FAIL)
        return TrialState.FAIL

    def _held(self, trial: Trial) -> FrozenTrial:
        """Read a trial; raise where it is another driver's by now."""
        frozen = stored(trial)
        if frozen.state.is_finished() or holder(frozen) != self.driver:
            raise LeaseLostError(
                f"trial {trial.number}: another driver has taken it over; this one goes on without"
            )
        return frozen
