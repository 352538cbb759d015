"""The range test raises the rate until training breaks, and sees nothing of the held-out fold."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from raymed.errors import InputError
from raymed.training import RatePoint, rate_range, suggest_rate
from raymed.training.inputs import Inputs
from raymed.training.loop import Trainer

Make = Callable[..., Any]
PHASES = ({"train": "head", "epochs": 1, "lr": 1e-2}, {"epochs": 1, "lr": 1e-3, "ratio": 0.1})


def find(trainer: Any, model: Any, **options: Any) -> list[RatePoint]:
    return list(rate_range(trainer, model, 1, **options))


def test_rates_rise_geometrically_and_every_loss_is_told(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    plan = recipe(phases=PHASES)
    points = find(trainer(plan), model_of(plan, zero=True), steps=21, low=1e-6, high=1e-4)
    rates = [point.lr for point in points]
    assert rates == pytest.approx(np.geomspace(1e-6, 1e-4, 21).tolist())
    assert points[0].loss == points[0].smoothed == pytest.approx(math.log(3))


def test_it_stops_where_training_breaks(recipe: Make, model_of: Make, trainer: Make) -> None:
    plan = recipe(model="test_vit", phases=PHASES, optimizer={"clip": None})
    points = find(trainer(plan), model_of(plan), steps=60, high=1e30)
    assert len(points) < 60
    assert all(math.isfinite(point.loss) for point in points)


def test_held_out_rows_have_no_part_in_it(
    toy: Any, tmp_path: Any, recipe: Make, model_of: Make
) -> None:
    plan = recipe(phases=PHASES)
    found = []
    held_out = np.flatnonzero(toy.samples.fold <= 0)  # the fold, and the test split
    for data in (toy, toy.changed(tmp_path / "changed", held_out)):
        inputs = Inputs(np.load(data.images), torch.device("cpu"))
        made = Trainer(plan, inputs, data.samples, 0, 3)
        found.append(find(made, model_of(plan), steps=12))
    assert found[0] == found[1]


def curve(*smoothed: float) -> list[RatePoint]:
    return [
        RatePoint(10.0**-at, loss, loss)
        for at, loss in zip(range(9, 0, -1), smoothed, strict=False)
    ]


def test_a_tenth_of_the_rate_with_the_least_loss_is_suggested() -> None:
    assert suggest_rate(curve(1.4, 1.4, 1.3, 1.1, 0.1, 0.05, 0.9, 5.0)) == pytest.approx(1e-5)


def test_a_loss_that_never_falls_gives_no_suggestion() -> None:
    assert suggest_rate(curve(1, 2, 3, 4)) is None
    assert suggest_rate([]) is None


def test_a_range_that_does_not_rise_is_refused(recipe: Make, model_of: Make, trainer: Make) -> None:
    plan = recipe(phases=PHASES)
    with pytest.raises(InputError, match="take 10 or more, low below high"):
        find(trainer(plan), model_of(plan), low=1.0, high=0.1)
    with pytest.raises(InputError, match="5 steps"):
        find(trainer(plan), model_of(plan), steps=5)
