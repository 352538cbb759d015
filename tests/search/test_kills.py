"""Real drivers in processes of their own, killed outright: no trial is lost, none is repeated."""

from collections import Counter
from pathlib import Path

from optuna.trial import TrialState

from tests.search.processes import Drivers, ended, kill


def test_a_killed_drivers_trial_goes_on_with_its_number_and_runs_no_fold_twice(
    tmp_path: Path,
) -> None:
    drivers = Drivers(tmp_path)
    first = drivers.start(4, 0.3)
    drivers.wait_for(5)  # in the second fold of the second trial
    kill(first)
    (orphan,) = [trial for trial in drivers.trials() if trial.state == TrialState.RUNNING]

    assert ended(drivers.start(4, 0.0, "alone")) == 0

    trials = drivers.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 4
    assert trials[orphan.number].params == orphan.params
    assert len({trial.params["rho"] for trial in trials}) == 4
    ran = drivers.ran()
    assert set(ran) == {(number, fold) for number in range(4) for fold in range(3)}
    assert sum(ran.values()) <= 13  # all folds once, but for the one that the kill met


def test_the_second_kill_marks_the_trial_as_failed_and_the_study_ends(tmp_path: Path) -> None:
    drivers = Drivers(tmp_path)
    for lines in (1, 2):
        killed = drivers.start(2, 60.0, "alone")
        drivers.wait_for(lines)
        kill(killed)

    assert ended(drivers.start(2, 0.0, "alone")) == 0

    first, second = drivers.trials()
    assert first.state == TrialState.FAIL
    assert "died 2 times" in first.user_attrs["error"]
    assert second.state == TrialState.COMPLETE


def test_two_drivers_share_a_journal_and_never_a_trial(tmp_path: Path) -> None:
    drivers = Drivers(tmp_path)
    both = [drivers.start(20, 0.01, "together") for _ in range(2)]

    assert [ended(process) for process in both] == [0, 0]

    trials = drivers.trials()
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 20
    assert len({trial.params["rho"] for trial in trials}) == 20
    assert len({trial.user_attrs["driver"] for trial in trials}) == 2
    assert drivers.ran() == {(number, fold): 1 for number in range(20) for fold in range(3)}


def test_a_journal_survives_a_writer_killed_at_any_moment(tmp_path: Path) -> None:
    drivers = Drivers(tmp_path)
    lines = 0
    for _ in range(3):
        writer = drivers.start(1000, 0.0, "alone")
        drivers.wait_for(lines + 40)
        kill(writer)
        lines = len(drivers.log.read_text().splitlines())

    trials = drivers.trials()
    states = Counter(trial.state for trial in trials)
    assert states[TrialState.RUNNING] <= 1
    assert states[TrialState.COMPLETE] >= len(trials) - 1
