"""The report's section on a study: what was tried and stopped, and that its choice flatters."""

from collections.abc import Callable
from dataclasses import asdict
from html import unescape
from pathlib import Path

import numpy as np
import optuna
import pytest
from optuna.trial import TrialState

from raymed.evaluation import Difference, Estimate, Losses, Selection
from raymed.files import write_json
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


def _judge(run: RunFolder, test: bool, trials: tuple[int, ...] | None = None) -> None:
    """Write down what the choice among the complete trials is worth: a gain on the test alone."""
    complete = tuple(each.number for each in _study().trials if each.state.name == "COMPLETE")
    flat = Difference(-0.006, -0.02, 0.008, p=0.4)
    gain = Difference(-0.03, -0.05, -0.01, p=0.002)
    stands = Estimate(0.64, 0.6, 0.68)
    selection = Selection(
        level="patient",
        trials=trials or complete,
        best=complete[2],
        recipe=0,
        each=(complete[2], complete[2], complete[3]),
        naive=Losses(Estimate(0.612, 0.57, 0.65), stands, gain),
        nested=Losses(Estimate(0.634, 0.59, 0.68), stands, flat),
        flattery=Difference(0.022, 0.01, 0.03, p=0.01),
        test=Losses(Estimate(0.65, 0.6, 0.7), Estimate(0.68, 0.63, 0.73), gain) if test else None,
    )
    write_json(run.selection_file, asdict(selection))


def test_an_honest_figure_stands_beside_the_flattering_one(search: Make) -> None:
    run = search(test=True)
    _judge(run, test=True)
    said = _section(run)
    assert "No gain over the recipe as it stands could be shown: log loss 0.0060 lower" in said
    assert "On the test split the gain holds: log loss 0.0300 lower" in said
    for figure in ("0.612", "0.634", "0.590 to 0.680", "0.640", "0.650", "0.600 to 0.700"):
        assert figure in said
    assert "lower by 0.0220 (0.0100 to 0.0300)" in said
    assert "nearly, not wholly, unbiased" in said


def test_without_a_test_split_the_nested_figure_stands_alone(search: Make) -> None:
    run = search(test=False)
    _judge(run, test=False)
    said = _section(run)
    assert "0.634" in said
    assert "On the test split" not in said


def test_what_was_judged_among_other_trials_is_not_shown(search: Make) -> None:
    run = search()
    _judge(run, test=True, trials=(0, 1))
    assert "What the choice is worth" not in _section(run)


def test_a_run_without_a_study_has_no_such_section(make_run: Make) -> None:
    assert not _section(make_run())


@pytest.mark.parametrize(("two", "figures"), [(False, 5), (True, 7)])
def test_a_browser_draws_the_plots_of_a_study(
    search: Make, make_run: Make, tmp_path: Path, two: bool, figures: int
) -> None:
    run = search(two)
    if not two:
        _judge(run, test=True)
    seen = look_at(write_report(run), tmp_path)
    assert sum('id="study-' in figure for figure in seen.figures) == figures
