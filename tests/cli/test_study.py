"""What a search says of itself: while it runs, and what its best trial is worth."""

import io
from dataclasses import replace

from rich.console import Console

from raymed.cli.display import BuildDisplay, trial_line
from raymed.cli.study import study_lines
from raymed.cli.tuning import OTHER_DATA, outcome_words
from raymed.evaluation import Difference, Estimate, Losses, Selection
from raymed.pipeline.board import Cell, Row
from raymed.pipeline.events import Plan, Stage, TrialEnded
from raymed.pipeline.tally import Standing, Tally

TALLY = Tally(
    at=0,
    complete=7,
    pruned=4,
    failed=1,
    running=2,
    spared=9,
    best=(6, 0.6123),
    recipe=(0, 0.64),
    leading=(
        Standing(6, 0.6123, {"sam.rho": 0.0212, "model": "resnet18"}),
        Standing(0, 0.64, {"sam.rho": 0.05}),
    ),
    hours=0.25,
    trained=1200,
    at_once=2,
    trials_budget=20,
)
NO_GAIN = Difference(-0.006, -0.02, 0.008, p=0.4)
SELECTION = Selection(
    level="patient",
    trials=(0, 3, 6),
    best=6,
    recipe=0,
    each=(6, 6, 3),
    naive=Losses(Estimate(0.612, 0.57, 0.65), Estimate(0.64, 0.6, 0.68), NO_GAIN),
    nested=Losses(Estimate(0.634, 0.59, 0.68), Estimate(0.64, 0.6, 0.68), NO_GAIN),
    flattery=Difference(0.022, 0.01, 0.03, p=0.01),
)


def test_a_study_tells_its_best_what_became_of_its_trials_and_its_time() -> None:
    assert study_lines(TALLY, 60) == [
        "best: trial 6, log loss 0.6123, 0.0277 below the recipe as it stands",
        "12 of 20 trials: 7 complete, 4 stopped early, 1 failed; 9 folds spared",
        "16m00s used, about 5m40s left",  # 8 trials of 100 s, two at once, 60 s ago
    ]


def test_what_is_not_known_is_not_made_up() -> None:
    before = replace(TALLY, complete=0, pruned=0, failed=0, best=None, trained=0, spared=1)
    assert study_lines(before, 0) == [
        "0 of 20 trials: 0 complete, 0 stopped early, 0 failed; 1 fold spared",
        "15m00s used, time left unknown",
    ]
    stopped = replace(TALLY, recipe=None)
    assert study_lines(stopped, 0)[0] == "best: trial 6, log loss 0.6123"
    own = replace(TALLY, best=(0, 0.64))
    assert study_lines(own, 0)[0] == "best: trial 0, log loss 0.6400, the recipe as it stands"


def test_gpu_hours_are_told_where_they_are_counted() -> None:
    told = replace(TALLY, gpus=1, gpu_hours=1.25, gpu_hours_budget=8)
    assert study_lines(told, 0)[-1] == "1.25 GPU-hours used, 6.75 left"


def test_a_line_a_trial_tells_the_time_left() -> None:
    ended = TrialEnded(6, "complete", 3, value=0.6123, best=(6, 0.6123))
    assert trial_line(ended, TALLY, 0).endswith("best 0.6123, trial 6; about 6m40s left")
    assert "left" not in trial_line(ended)


def test_a_study_that_has_all_its_trials_has_no_time_left() -> None:
    last = replace(TALLY, trials_budget=12, running=0)
    assert "left" not in trial_line(TrialEnded(11, "pruned", 1), last, 0)
    assert study_lines(last, 0)[-1] == "15m00s used"


def test_the_live_view_shows_running_folds_and_the_study_below_them() -> None:
    console = Console(file=io.StringIO(), width=80)
    display = BuildDisplay(console)
    row = Row("trial-12", "a1", {"fold 0": Cell("done", seconds=30), "fold 1": Cell()})
    for event in (Stage("searching", 11, 20), TALLY, Plan((row,), 2)):
        display.show(event)
    console.print(display._draw())
    file = console.file
    assert isinstance(file, io.StringIO)
    lines = file.getvalue().splitlines()
    assert any("trial-12" in line and "30s" in line for line in lines)
    assert next(line.split() for line in lines if "0.6123" in line) == [
        "│", "6", "│", "0.6123", "│", "0.0212", "│", "resnet18", "│",
    ]  # fmt: skip
    assert "searching 12/20" in lines
    assert "12 of 20 trials: 7 complete, 4 stopped early, 1 failed; 9 folds spared" in lines


def test_no_gain_is_said_plainly_and_a_gain_too() -> None:
    first, verdict, last = outcome_words(SELECTION)
    assert "out of fold 0.612" in first
    assert "0.634 (0.590 to 0.680); the recipe as it stands 0.640" in first
    assert verdict == (
        "no gain over the recipe as it stands could be shown: log loss 0.0060 lower (difference "
        "−0.0200 to 0.0080, 95 % interval by patient)"
    )
    assert last == OTHER_DATA
    apart = Difference(-0.03, -0.05, -0.01, p=0.002)
    gained = replace(SELECTION, nested=replace(SELECTION.nested, apart=apart))
    assert outcome_words(gained)[1].startswith("the gain over the recipe as it stands holds")


def test_a_test_split_speaks_for_itself() -> None:
    apart = Difference(-0.03, -0.05, -0.01, p=0.002)
    test = Losses(Estimate(0.65, 0.6, 0.7), Estimate(0.68, 0.63, 0.73), apart)
    words = outcome_words(replace(SELECTION, test=test))
    assert "on the test split, which took no part, 0.650 (0.600 to 0.700)" in words[1]
    assert words[-1].startswith("on the test split the gain holds: log loss 0.0300 lower")


def test_a_choice_without_the_recipe_or_of_it_claims_nothing() -> None:
    alone = replace(SELECTION, recipe=None, nested=Losses(Estimate(0.634)))
    assert "no complete trial" in outcome_words(alone)[1]
    assert "nothing was gained" in outcome_words(replace(SELECTION, best=0))[1]
