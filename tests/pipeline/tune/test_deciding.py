"""What is decided after an epoch: the study is told, a hopeless fold ends its trial. No Ray."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from optuna.trial import TrialState

from raymed.config import Experiment, Search
from raymed.pipeline.events import Note, TrialEnded
from raymed.pipeline.prepare import prepare
from raymed.pipeline.tune.deciding import Deciding
from raymed.pipeline.tune.opening import open_search
from raymed.pipeline.tune.scoring import Scoring
from raymed.pipeline.tune.searching import told
from raymed.pipeline.units import FoldUnit
from raymed.runs import RunFolder
from raymed.search import EpochCurve, epoch_curve, space_of
from raymed.stories import result_of
from raymed.training import Curve, Progress

Make = Callable[..., Experiment]
Drive = Callable[..., Deciding]

HALVED = ("recipes.cnn.phases=[{epochs: 9, lr: 2e-3}]", "search.halving={factor: 2}")


@pytest.fixture
def drive(make: Make, tmp_path: Path) -> Iterator[Drive]:
    """Make what one driver after another decides with, over the same study."""
    experiment, run = make(*HALVED), RunFolder.at(tmp_path / "run")
    prepared = result_of(prepare(experiment, run, keep=True))
    space = space_of(experiment.search or Search(), experiment.recipes["cnn"])
    with ExitStack() as stack:

        def drive_one() -> Deciding:
            study = stack.enter_context(closing(open_search(experiment, run, prepared, space)))
            scoring = Scoring(experiment, run, prepared, study, gpus=0.5)
            left = study.adopt(alone=True)
            return Deciding(experiment, run, prepared, study, "cpu", 1, scoring, left)

        yield drive_one


def _begin(deciding: Deciding) -> tuple[int, dict[int, FoldUnit]]:
    asked = deciding.ask()
    assert asked is not None
    assert asked != "wait"
    return asked.number, {unit.fold: unit for unit in asked.units if isinstance(unit, FoldUnit)}


def _epoch(*losses: float) -> Progress:
    epoch = len(losses)
    return Progress(epoch, 9, epoch, 9, curve=Curve(losses, seconds=3600.0 * epoch))


def test_the_worse_of_two_is_stopped_in_its_fold_and_is_pruned_with_its_epochs(
    drive: Drive,
) -> None:
    deciding = drive()
    good, its = _begin(deciding)
    bad, other = _begin(deciding)

    assert deciding.heard_epoch(good, its[1], _epoch(0.5))
    assert deciding.heard_epoch(bad, other[0], _epoch(0.9))  # nobody has been there yet
    assert deciding.heard_epoch(good, its[0], _epoch(0.5))
    assert deciding.heard_epoch(good, its[0], _epoch(0.5, 0.4))
    assert not deciding.heard_epoch(bad, other[0], _epoch(0.9, 0.8))

    stored = deciding.study.study.trials[bad]
    assert stored.state == TrialState.PRUNED
    assert epoch_curve(stored, 0) == EpochCurve((0.9, 0.8), 9)
    assert deciding.study.study.trials[good].state == TrialState.RUNNING
    assert set(deciding.at_work) == {good}
    (ended,) = [each for each in told(deciding) if isinstance(each, TrialEnded)]
    assert (ended.number, ended.state, ended.within) == (bad, "pruned", (0, 2))


def test_what_a_stopped_fold_took_is_spent(drive: Drive) -> None:
    deciding = drive()
    for loss in (0.5, 0.9):
        number, units = _begin(deciding)
        deciding.heard_epoch(number, units[0], _epoch(loss))
    assert deciding.study.study.trials[1].state == TrialState.PRUNED
    assert deciding.study.spent().gpu_hours == pytest.approx(2 * 0.5)


def test_an_adopted_trial_tells_its_epochs_again_and_goes_on(drive: Drive) -> None:
    killed = drive()
    number, units = _begin(killed)
    assert killed.heard_epoch(number, units[1], _epoch(0.5))
    assert killed.heard_epoch(number, units[1], _epoch(0.5, 0.4))

    deciding = drive()
    again, units = _begin(deciding)
    assert again == number
    assert deciding.heard_epoch(again, units[1], _epoch(0.5, 0.4))
    assert deciding.heard_epoch(again, units[1], _epoch(0.5, 0.4, 0.3))
    assert epoch_curve(deciding.study.study.trials[number], 1) == EpochCurve((0.5, 0.4, 0.3), 9)


def test_a_fold_whose_trial_another_driver_took_is_stopped_and_the_study_is_left_alone(
    drive: Drive,
) -> None:
    slept = drive()
    number, units = _begin(slept)
    assert slept.heard_epoch(number, units[1], _epoch(0.5))
    _begin(drive())

    assert not slept.heard_epoch(number, units[1], _epoch(0.5, 0.4))
    assert not slept.at_work
    assert any(isinstance(each, Note) and each.warning for each in told(slept))
    stored = slept.study.study.trials[number]
    assert stored.state == TrialState.RUNNING
    assert epoch_curve(stored, 1) == EpochCurve((0.5,), 9)
