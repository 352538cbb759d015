"""A study whose units are shared by two processes: the members that one process would make."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from optuna.trial import TrialState

from raymed.config import Experiment
from raymed.data.predictions import logits_of
from raymed.pipeline.build import build
from raymed.pipeline.tune import tune, with_trials
from raymed.runs import RunFolder

Make = Callable[..., Experiment]

STILL = ("recipes.cnn.freeze_batchnorm=true", "recipes.cnn.augmentation=none")
"""Then only the order of sums differs between one process and two."""
ONE = ("search.space={phases: [{lr: {low: 5e-4, high: 5e-3, log: true}}]}", "search.trials=1")


def _only(experiment: Experiment, name: str) -> Experiment:
    return experiment.model_copy(update={"recipes": {name: experiment.recipes[name]}})


def _logits(run: RunFolder) -> np.ndarray:
    """The out-of-fold logits of a run's only member, by sample."""
    (file,) = run.path.glob("members/*/oof.parquet")
    table = pq.read_table(file).sort_by("sample_id")
    return logits_of(table)


@pytest.mark.slow
def test_a_trial_of_two_processes_a_unit_is_the_member_that_one_process_makes(
    make: Make, tmp_path: Path
) -> None:
    """Three are wished for, two are there, and two are enough."""
    alone = build(_only(make(*STILL), "cnn"), tmp_path / "alone")
    experiment = make(*STILL, *ONE, "recipes.cnn.workers=3", "recipes.cnn.min_workers=2")

    tuned = tune(experiment, tmp_path / "tuned")

    begun = [trial.state for trial in tuned.trials if trial.state != TrialState.WAITING]
    assert begun == [TrialState.COMPLETE]
    assert np.abs(_logits(alone.run)).max() > 0.01
    np.testing.assert_allclose(_logits(tuned.run), _logits(alone.run), atol=1e-3)
    built = build(with_trials(experiment, tuned.run, 1), tuned.run.path)
    assert not built.failed
    (member,) = tuned.run.path.glob("members/*")  # nothing was trained again
    assert tuned.run.member(member.name).fold_facts(0)["workers"] == 2
