"""How long a study takes is told from its ended trials, or from the budget that ends first."""

from dataclasses import replace

import pytest

from raymed.pipeline.board import BOARD, Board
from raymed.pipeline.events import TrialEnded
from raymed.pipeline.recording import take
from raymed.pipeline.tally import Standing, Tally

FIVE = Tally(
    at=1000,
    complete=3,
    pruned=1,
    failed=1,
    running=2,
    hours=0.5,
    trained=500,
    under_way=50,
    at_once=2,
    trials_budget=20,
)


def test_the_rest_of_the_trials_takes_the_mean_of_the_ended_ones_shared_by_the_workers() -> None:
    # 15 of 100 s each, 50 s of them done, two at once
    assert FIVE.left(1000) == pytest.approx(725)
    assert FIVE.left(1025) == pytest.approx(700)
    assert FIVE.left(9999) is None  # overdue: nobody knows


def test_a_trial_that_has_not_begun_takes_a_whole_one() -> None:
    # three of 100 s on eight workers: two of them run, the third takes its own 100 s
    assert replace(FIVE, at_once=8, trials_budget=8).left(1000) == pytest.approx(100)


def test_the_budget_that_ends_first_counts() -> None:
    assert replace(FIVE, hours_budget=0.6).left(1000) == pytest.approx(360)
    # 0.2 GPU-hours on two trials of half a GPU
    told = replace(FIVE, gpus=0.5, gpu_hours=0.8, gpu_hours_budget=1.0)
    assert told.left(1000) == pytest.approx(720)


def test_the_rest_is_unknown_before_a_trial_has_ended_and_without_an_end_in_sight() -> None:
    assert Tally(at=0, trials_budget=20).left(0) is None
    assert replace(FIVE, trials_budget=None, gpu_hours_budget=1.0).left(1000) is None


def test_time_used_goes_on_between_tallies() -> None:
    assert FIVE.used(1010) == pytest.approx(1810)


def test_the_gain_needs_both_scores() -> None:
    assert replace(FIVE, best=(3, 0.5)).gain is None
    assert replace(FIVE, best=(3, 0.5), recipe=(0, 0.75)).gain == pytest.approx(0.25)


def test_a_board_counts_a_trial_once_and_is_read_back_with_its_tally() -> None:
    board = Board("toy")
    standing = Standing(3, 0.5, {"lr": 1e-3, "epochs": 3, "ema": True, "model": "a", "sam": None})
    take(board, replace(FIVE, leading=(standing,)))
    take(board, TrialEnded(4, "pruned", 1))
    assert board.done == 5
    assert BOARD.validate_python(BOARD.dump_python(board, mode="json")) == board
