"""What a trial's folds and epochs come to, told to the study; and whether it is worth more."""

from dataclasses import dataclass

from raymed.config import Experiment
from raymed.pipeline.members import finish_member
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.tune.at_work import AtWork, finished_folds, trial_member
from raymed.pipeline.tune.fold_scores import held_out_rows, log_loss_of
from raymed.runs import RunFolder
from raymed.search import SharedStudy, is_as_it_stands, stored, worse_by_patient
from raymed.training import Progress


@dataclass(frozen=True)
class Scoring:
    """Scores trials on the folds of a run.

    `gpus` is what a unit takes; `paired` is whether a trial is compared with the best by patient.
    """

    experiment: Experiment
    run: RunFolder
    prepared: Prepared
    study: SharedStudy
    gpus: float
    paired: bool = False

    def report(self, work: AtWork, fold: int) -> None:
        """Tell the study a finished fold."""
        value = log_loss_of(held_out_rows([work.done[fold]]), by_patient=self._by_patient)
        seconds = float(work.member.folder.fold_facts(fold)["seconds"])
        self.study.report(work.trial, fold, value, seconds, self.gpus)

    def report_epoch(self, work: AtWork, fold: int, progress: Progress) -> None:
        """Tell the study the epochs of a fold so far."""
        curve = progress.curve
        assert curve is not None
        self.study.report_epochs(
            work.trial,
            fold,
            curve.held_out_losses,
            progress.epochs,
            seconds=curve.seconds,
            gpus=self.gpus,
        )

    def finish(self, work: AtWork) -> list[float]:
        """Make a trial whose folds are all there a member; give its values, the score first."""
        finish_member(work.member, self.prepared.folds.count)
        values = [log_loss_of(held_out_rows([*work.done.values()]), by_patient=self._by_patient)]
        if len(self.study.study.directions) == 2:
            folds = range(self.prepared.folds.count)
            values.append(sum(work.member.folder.fold_facts(fold)["seconds"] for fold in folds))
        return values

    def hopeless(self, work: AtWork) -> bool:
        """Tell whether a trial is not worth another fold."""
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
