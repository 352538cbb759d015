"""A study on real folds: what is stored, what its trials leave, what a build makes of them."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import yaml
from optuna.trial import TrialState
from scipy.special import softmax

from raymed.config import Experiment
from raymed.errors import InputError
from raymed.files import checksum, read_json
from raymed.pipeline.build import build
from raymed.pipeline.status import read_board
from raymed.pipeline.tune import Tuned, tune, with_trials
from raymed.pipeline.tune.at_work import trial_name
from raymed.report.selection import read_selection
from raymed.runs import RunFolder
from raymed.search import epoch_curves, fold_values
from tests.pipeline.tune.readers import Reader, seen

Make = Callable[..., Experiment]

SPACE = "search.space={phases: [{lr: {low: 5e-4, high: 5e-3, log: true}}]}"
FIVE = ("data.folds=3", SPACE, "search.trials=5", "search.pruner=median")
RAYMED = str(Path(sys.executable).with_name("raymed"))
pytestmark = pytest.mark.slow


def _finished_folds(run: Path) -> dict[Path, int]:
    """Every fold's marker, and when it was written."""
    markers = run.glob("members/*/fold-*/DONE.json")
    return {path: path.stat().st_mtime_ns for path in markers}


def _loss_on_test(tuned: Tuned) -> float:
    """The log loss of patients' mean probabilities, those of an image the mean over folds."""
    for recipe in tuned.run.path.glob("members/*/recipe.yaml"):  # a pruned trial leaves none
        name, _ = yaml.safe_load(recipe.read_text()).values()
        if name == trial_name(tuned.best.number):
            table = pq.read_table(recipe.with_name("test.parquet")).to_pandas()
    shares = pd.DataFrame(softmax(np.stack(table["logits"]).astype(float), axis=1))
    images = shares.groupby(table["sample_id"]).mean()
    told = table.drop_duplicates("sample_id").set_index("sample_id").loc[images.index]
    people = images.groupby([told["patient"].astype(str), told["label"]]).mean()
    return float(np.mean([-np.log(row[label]) for (_, label), row in people.iterrows()]))


@pytest.fixture(scope="module")
def tuned(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """A study of five trials, never disturbed."""
    return tune(make(*FIVE), tmp_path_factory.mktemp("tuned") / "run")


def test_the_recipe_itself_is_the_first_trial(tuned: Tuned, make: Make) -> None:
    assert tuned.trials[0].params == {"phases.0.lr": make().recipes["cnn"].phases[0].lr}


def test_every_trial_is_stored_with_the_value_of_each_of_its_folds(tuned: Tuned) -> None:
    assert len(tuned.trials) == 5
    for trial in tuned.trials:
        assert trial.state in (TrialState.COMPLETE, TrialState.PRUNED)
        folds = fold_values(trial)
        assert len(folds) == 3 if trial.state == TrialState.COMPLETE else 0 < len(folds) < 3


def test_the_best_trial_is_written_as_a_recipe_to_paste(tuned: Tuned) -> None:
    (written,) = yaml.safe_load(tuned.run.best_recipe_file.read_text()).values()
    assert written["phases"][0]["lr"] == tuned.best.params["phases.0.lr"]


def test_tensorboard_and_mlflow_show_what_the_study_holds(
    tuned: Tuned, make: Make, tmp_path: Path
) -> None:
    pytest.importorskip("mlflow", reason="no MLflow: raymed[mlflow]")
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    tune(make(*FIVE, f"search.mlflow={uri}"), tuned.run.path)  # nothing is left: it catches up
    boards = Reader(tuned.run.tensorboard_folder)
    runs, scalars = seen(uri, "tiny"), boards.scalars()
    assert sorted(runs) == ["tiny", *(f"trial-{trial.number}" for trial in tuned.trials)]
    for trial in tuned.trials:
        run, shown = runs[f"trial-{trial.number}"], scalars[f"trial-{trial.number}"]
        assert run["state"] == trial.state.name
        assert boards.parameters(f"trial-{trial.number}") == trial.params
        own = {f"log_loss/fold-{fold}": value for fold, value in fold_values(trial).items()}
        if trial.state == TrialState.COMPLETE:
            own["log_loss/pooled"] = trial.values[0]
        for name, value in own.items():
            assert shown[name] == [(trial.number, pytest.approx(value))]
            assert run["values"][name] == pytest.approx(value)
        assert run["values"].keys() == {*own, "seconds"}
        for fold in fold_values(trial):
            assert [step for step, _ in shown[f"loss/fold-{fold}"]] == [1, 2, 3]


def test_what_the_best_trial_is_worth_is_written_down_on_folds_and_test(
    tuned: Tuned, make: Make
) -> None:
    worth = tuned.selection
    assert worth is not None
    assert worth == read_selection(tuned.run, worth.trials)
    assert (worth.level, worth.best, worth.recipe) == ("patient", tuned.best.number, 0)
    assert worth.naive.chosen.value == pytest.approx(tuned.best.value)
    assert worth.naive.other is not None
    assert worth.naive.other.value == pytest.approx(tuned.trials[0].value)
    assert worth.nested.chosen.value >= worth.naive.chosen.value - 1e-12
    assert set(worth.each) <= set(worth.trials)
    assert worth.test is not None
    assert worth.test.chosen.value == pytest.approx(_loss_on_test(tuned))


def test_the_board_counts_trials_folds_and_seconds_of_the_study(tuned: Tuned) -> None:
    board = read_board(tuned.run)
    assert board is not None
    tally = board.tally
    assert tally is not None
    states = [trial.state for trial in tuned.trials]
    assert tally.complete == states.count(TrialState.COMPLETE)
    assert tally.pruned == states.count(TrialState.PRUNED)
    assert (tally.failed, tally.running, tally.trials_budget) == (0, 0, 5)
    assert tally.spared == 15 - sum(len(fold_values(trial)) for trial in tuned.trials)
    assert tally.best == (tuned.best.number, tuned.best.value)
    assert tally.recipe == (0, tuned.trials[0].value)
    assert 0 < tally.trained <= 2 * 3600 * tally.hours  # two at once


def test_the_same_command_again_does_nothing_again(tuned: Tuned, make: Make) -> None:
    before = _finished_folds(tuned.run.path)
    boards = sorted(tuned.run.tensorboard_folder.rglob("*"))
    again = tune(make(*FIVE), tuned.run.path)
    assert [trial.params for trial in again.trials] == [trial.params for trial in tuned.trials]
    assert _finished_folds(tuned.run.path) == before
    assert sorted(tuned.run.tensorboard_folder.rglob("*")) == boards


def test_another_space_in_the_same_folder_is_refused(tuned: Tuned, make: Make) -> None:
    other = SPACE.replace("5e-3", "6e-3")
    with pytest.raises(InputError, match="the search space"):
        tune(make("data.folds=3", other, "search.trials=5"), tuned.run.path)


def test_episodes_that_a_trial_could_not_fill_are_refused_before_any_is_trained(
    make: Make, tmp_path: Path
) -> None:
    many = "search.space={head: {shots: {low: 1, high: 6}}}"
    experiment = make("data.folds=3", "recipes.cnn.head=prototypical", many)
    with pytest.raises(InputError, match=r"head\.shots: 6 and a query are more than"):
        tune(experiment, tmp_path / "run")
    assert not list(tmp_path.glob("run/members/*"))


def test_a_build_stacks_trials_without_training_and_they_are_what_it_would_have_made(
    tuned: Tuned, make: Make, tmp_path: Path
) -> None:
    experiment = make(*FIVE)
    stacked = with_trials(experiment, tuned.run, 2)
    assert len(stacked.recipes) == 2
    before = {
        path: path.stat().st_mtime_ns for path in tuned.run.path.glob("members/*/*/DONE.json")
    }
    built = build(stacked, tuned.run.path)
    assert _finished_folds(tuned.run.path) == before
    assert built.run.report_file.exists()
    (name, recipe), *_ = stacked.recipes.items()
    alone = build(stacked.model_copy(update={"recipes": {name: recipe}}), tmp_path / "run")
    for folder in alone.run.path.glob("members/*"):
        twin = tuned.run.path / "members" / folder.name / "oof.parquet"
        assert checksum(twin) == checksum(folder / "oof.parquet")


@pytest.fixture(scope="module")
def halved(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Tuned:
    """The same five points, one after the other; the worse half of a fold stops after an epoch."""
    halving = ("search.halving={factor: 2}", "search.pruner=none", "cluster.workers=1")
    return tune(make(*FIVE, *halving), tmp_path_factory.mktemp("halved") / "run")


def test_halving_stops_trials_within_a_fold_and_stores_their_epochs(halved: Tuned) -> None:
    pruned = [trial for trial in halved.trials if trial.state == TrialState.PRUNED]
    assert pruned
    for trial in pruned:
        (fold,) = epoch_curves(trial).keys() - fold_values(trial).keys()
        curve = epoch_curves(trial)[fold]
        assert curve.of == 3
        assert len(curve.values) in (1, 2)
    for trial in halved.trials:
        for fold in fold_values(trial):
            assert len(epoch_curves(trial)[fold].values) == 3


def test_what_halving_does_not_stop_has_the_bits_that_it_has_without(
    halved: Tuned, tuned: Tuned
) -> None:
    assert [each.params for each in halved.trials] == [each.params for each in tuned.trials]
    both = 0
    for marker in halved.run.path.glob("members/*/fold-*/DONE.json"):
        twin = tuned.run.path / marker.relative_to(halved.run.path)
        if twin.exists():
            files = [
                found.parent / read_json(found)["attempt"] / name
                for name in ("predictions.parquet", "checkpoint.safetensors")
                for found in (marker, twin)
            ]
            assert checksum(files[0]) == checksum(files[1])
            assert checksum(files[2]) == checksum(files[3])
            both += 1
    assert both >= 3


def test_a_folder_without_a_study_has_nothing_to_stack(make: Make, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no study"):
        with_trials(make(), RunFolder.at(tmp_path / "run"), 2)


def test_a_study_whose_first_trials_all_fail_ends_with_the_first_error_and_code_3(
    config_file: Path, tmp_path: Path
) -> None:
    """A step of 1e18 leads to logits that are not finite, and so is the loss, if not before."""
    run = tmp_path / "run"
    lost = "search.space={phases: [{lr: {low: 1e18, high: 1e19, log: true}}]}"
    recipe = "recipes.cnn.phases=[{epochs: 3, lr: 2e18}]"
    said = subprocess.run(
        [RAYMED, "tune", str(config_file), lost, recipe, "--run", str(run)],
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    assert said.returncode == 3, said
    assert said.stderr.startswith("error: every trial so far failed; the first one: fold")
    assert "the loss became" in said.stderr or "values that are not finite" in said.stderr
    assert "Traceback" not in said.stderr + said.stdout
    assert 3 <= len(list(run.glob("members/*"))) < 6  # of 20


def test_a_killed_driver_loses_no_trial_and_repeats_none(
    make: Make, config_file: Path, tmp_path: Path, tuned: Tuned
) -> None:
    run = tmp_path / "run"
    command = [RAYMED, "tune", str(config_file), *FIVE, "--run", str(run)]
    victim = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 400
    while len(list(run.glob("members/*/fold-*/DONE.json"))) < 4 and time.monotonic() < deadline:
        time.sleep(0.1)
    os.kill(victim.pid, signal.SIGKILL)
    victim.wait()
    done = _finished_folds(run)
    assert len(done) >= 4

    again = tune(make(*FIVE), run)

    assert [trial.number for trial in again.trials] == list(range(5))
    assert all(trial.state.is_finished() for trial in again.trials)
    assert not any(trial.state == TrialState.FAIL for trial in again.trials)
    assert done.items() <= _finished_folds(run).items()
    first = [trial.params for trial in again.trials[:1]]
    assert first == [trial.params for trial in tuned.trials[:1]]
