"""The report's section on a study: what was tried and stopped, and that its choice flatters."""

from collections.abc import Callable
from html import unescape
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from raymed.report import write_report
from raymed.runs import RunFolder
from raymed.search import write_snapshot
from tests.report.browser import look_at

Make = Callable[..., RunFolder]
FOLDS = 3


def _study(two: bool = False, within: bool = False) -> optuna.Study:
    """Twelve trials: 8 complete, 3 stopped after two folds, 1 failed; rho only with SAM.

    `within`: those stopped had begun their last fold, and one epoch of its four.
    """
    study = optuna.create_study(
        directions=["minimize"] * (2 if two else 1),
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    for number in range(12):
        trial = study.ask()
        rate = trial.suggest_float("phases.0.lr", 1e-4, 1e-2, log=True)
        if trial.suggest_categorical("sam", ["none", "rho"]) == "rho":
            trial.suggest_float("sam.rho", 0.001, 0.05, log=True)
        score = 0.5 + abs(np.log10(rate) + 3)
        if number == 5:
            trial.set_user_attr("error", "fold 0: the loss became nan")
            study.tell(trial, state=TrialState.FAIL)
        elif two:
            study.tell(trial, [score, 10.0 + number])
        else:
            stopped = number % 4 == 3
            for fold in range(FOLDS - stopped):
                trial.report(score, fold)
            if stopped and within:
                trial.set_user_attr("epochs:2", {"values": [score], "of": 4})
            study.tell(trial, **({"state": TrialState.PRUNED} if stopped else {"values": score}))
    return study


@pytest.fixture
def search(make_run: Make) -> Make:
    """Fill a run folder that holds a study."""

    def make(two: bool = False, within: bool = False, **options: bool) -> RunFolder:
        run = make_run(**options)
        write_snapshot(_study(two, within), run.trials_file)
        run.best_recipe_file.write_text("trial-3:\n  model: test_resnet\n")
        return run

    return make


def _section(run: RunFolder) -> str:
    text = write_report(run).read_text(encoding="utf-8")
    section = text.partition('<section id="study">')[2].partition("</section>")[0]
    return " ".join(unescape(section).split())


def test_it_counts_what_became_of_trials_and_what_stopping_spared(search: Make) -> None:
    said = _section(search())
    assert "8 complete, 3 stopped between folds, 1 failed" in said
    assert "spared 9 % of the folds" in said  # 3 of 11 * 3


def test_a_fold_that_was_stopped_counts_by_its_epochs(search: Make) -> None:
    said = _section(search(within=True))
    assert "8 complete, 3 stopped early, 1 failed" in said
    assert "spared 7 % of the folds, counted by epochs" in said  # 3 * 3 / 4 of 11 * 3


def test_it_says_that_the_best_figure_flatters_and_where_an_honest_one_is(search: Make) -> None:
    assert "The test split took no part" in _section(search(test=True))
    assert "There is no test split" in _section(search(test=False))


def test_the_best_trial_stands_first_and_its_recipe_is_there_to_paste(search: Make) -> None:
    best = min(
        (trial for trial in _study().trials if trial.state == TrialState.COMPLETE),
        key=lambda trial: trial.values[0],
    )
    said = _section(search())
    assert f'<tr><th scope="row">{best.number}</th>' in said.partition("<tbody>")[2][:60]
    assert "model: test_resnet" in said


def test_a_run_without_a_study_has_no_such_section(make_run: Make) -> None:
    assert not _section(make_run())


@pytest.mark.parametrize(("two", "figures"), [(False, 5), (True, 7)])
def test_a_browser_draws_the_plots_of_a_study(
    search: Make, make_run: Make, tmp_path: Path, two: bool, figures: int
) -> None:
    run = search(two)
    seen = look_at(write_report(run), tmp_path)
    assert sum('id="study-' in figure for figure in seen.figures) == figures
