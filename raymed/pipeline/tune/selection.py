"""What the best trial of a study is worth, from predictions that are there: nothing is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
from optuna.trial import FrozenTrial, TrialState

from raymed.config import Experiment
from raymed.data.predictions import Level
from raymed.evaluation import Losses, Selection, score_choice
from raymed.files import complete, write_json
from raymed.pipeline.members import Member, member_table
from raymed.pipeline.prepare import Prepared
from raymed.pipeline.scorer import Probabilities
from raymed.pipeline.scores import member_on_test
from raymed.pipeline.tune.at_work import trial_member
from raymed.pipeline.tune.fold_scores import people_of, rows_of
from raymed.runs import RunFolder
from raymed.search import (
    OofRows,
    SharedStudy,
    choose_without_each_fold,
    is_as_it_stands,
    pool_chosen,
)

ByFold = Sequence[OofRows]


def judge_selection(
    experiment: Experiment,
    run: RunFolder,
    prepared: Prepared,
    study: SharedStudy,
    best: FrozenTrial,
) -> Selection | None:
    """Judge a study's choice and write it down beside its trials.

    None, and no file, where the members of some complete trials lie elsewhere: several drivers
    that share a database may have a run folder each.
    """
    trials = study.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    members = {
        trial.number: trial_member(experiment, run, prepared, trial.number, study.suggest(trial))
        for trial in trials
    }
    if any(complete(member.folder.path) is None for member in members.values()):
        run.selection_file.unlink(missing_ok=True)
        return None
    recipe = next((trial.number for trial in trials if is_as_it_stands(trial)), None)
    found = _Judge(experiment, prepared, members).judged(best.number, recipe)
    write_json(run.selection_file, asdict(found))
    return found


@dataclass(frozen=True)
class _Judge:
    """Scores choices among complete trials, all at the level that headline figures are of."""

    experiment: Experiment
    prepared: Prepared
    members: Mapping[int, Member]

    def judged(self, best: int, recipe: int | None) -> Selection:
        """Score the best trial beside the recipe as it stands, on the folds and on the test."""
        folds = self.prepared.folds.count
        images = {number: _by_fold(member, folds) for number, member in self.members.items()}
        each = choose_without_each_fold(self._counted(images))
        naive, nested = pool_chosen(images, [best] * folds), pool_chosen(images, each)
        stands = None if recipe is None else pool_chosen(images, [recipe] * folds)
        flattery = self._beside(nested, naive).apart
        assert flattery is not None  # there was a naive choice
        return Selection(
            self._level,
            tuple(sorted(self.members)),
            best,
            recipe,
            each,
            self._beside(naive, stands),
            self._beside(nested, stands),
            flattery,
            self._on_test(best, recipe),
        )

    def _counted(self, images: Mapping[int, ByFold]) -> Mapping[int, ByFold]:
        """Give each trial's rows as its score counts them: patients where they are known."""
        if self._level == "image":
            return images
        return {number: [*map(people_of, by_fold)] for number, by_fold in images.items()}

    def _on_test(self, best: int, recipe: int | None) -> Losses | None:
        manifest = self.prepared.manifest
        test = manifest.is_test
        own = member_on_test(self.members[best], self.prepared)
        if own is None:
            return None
        stands = None if recipe is None else member_on_test(self.members[recipe], self.prepared)
        return self._scored(own, stands, manifest.labels[test], manifest.patients[test])

    def _beside(self, chosen: OofRows, other: OofRows | None) -> Losses:
        against = None if other is None else other.probabilities
        return self._scored(chosen.probabilities, against, chosen.labels, chosen.patients)

    def _scored(
        self,
        chosen: Probabilities,
        other: Probabilities | None,
        labels: npt.NDArray[np.int64],
        patients: npt.NDArray[Any],
    ) -> Losses:
        return score_choice(
            chosen,
            other,
            labels,
            patients,
            level=self._level,
            draws=self.experiment.evaluate.draws,
            seed=self.experiment.seed,
        )

    @property
    def _level(self) -> Level:
        return "patient" if self.prepared.manifest.patients_declared else "image"


def _by_fold(member: Member, folds: int) -> ByFold:
    """Read a complete member's out-of-fold rows, fold by fold, each in the manifest's order."""
    table = member_table(member, "oof")
    return [rows_of(table.filter(pc.equal(table["fold"], fold))) for fold in range(folds)]
