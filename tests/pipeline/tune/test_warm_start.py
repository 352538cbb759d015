"""What an earlier study found is tried early, as far as the new space can give it."""

from collections.abc import Callable
from pathlib import Path

import optuna
import pytest
from optuna.trial import TrialState

from raymed.config import Experiment, Recipe, Search
from raymed.errors import InputError
from raymed.pipeline.tune.warm_start import BEST, best_points, within
from raymed.runs import RunFolder
from raymed.search import Space, space_of, write_snapshot

Make = Callable[..., Experiment]


@pytest.fixture
def run(make: Make, tmp_path: Path) -> RunFolder:
    """A run folder that holds an experiment, and no study."""
    folder = RunFolder.at(tmp_path / "run")
    folder.write_experiment(make())
    return folder


def _tuned(run: RunFolder, scores: list[float]) -> None:
    study = optuna.create_study()
    for score in scores:
        study.enqueue_trial({"dropout": score})
        trial = study.ask()
        study.tell(trial, trial.suggest_float("dropout", 0.0, 1.0))
    pruned = study.ask()
    pruned.report(0.0, 0)
    study.tell(pruned, state=TrialState.PRUNED)
    write_snapshot(study, run.trials_file)


def test_the_best_trials_come_first_and_a_pruned_one_never(run: RunFolder) -> None:
    scores = [0.7, 0.2, 0.9, 0.4, 0.3, 0.8]
    _tuned(run, scores)
    assert [point["dropout"] for point in best_points(run.path)] == sorted(scores)[:BEST]


def test_a_run_without_a_study_and_one_without_a_complete_trial_are_refused(run: RunFolder) -> None:
    with pytest.raises(InputError, match="has no study to start from"):
        best_points(run.path)
    _tuned(run, [])
    with pytest.raises(InputError, match="has no complete trial"):
        best_points(run.path)


@pytest.fixture
def space(make: Make) -> Space:
    recipe: Recipe = make().recipes["cnn"]
    tree = {
        "dropout": {"low": 0.0, "high": 0.5},
        "label_smoothing": {"choices": [0.0, 0.1]},
    }
    return space_of(Search(space=tree), recipe)


@pytest.mark.parametrize(
    ("point", "kept"),
    [
        ({"dropout": 0.2, "label_smoothing": 0.1}, {"dropout": 0.2, "label_smoothing": 0.1}),
        ({"dropout": 0.7, "label_smoothing": 0.1}, {"label_smoothing": 0.1}),
        ({"dropout": 0.2, "label_smoothing": 0.3}, {"dropout": 0.2}),
        ({"dropout": "much"}, {}),
        ({"sam.rho": 0.05}, {}),
    ],
)
def test_what_the_new_space_cannot_give_is_left_to_the_sampler(
    space: Space, point: dict[str, object], kept: dict[str, object]
) -> None:
    assert within(space, point) == kept
