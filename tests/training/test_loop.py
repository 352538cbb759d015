"""The loop: its steps, its losses, what stops it."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from raymed.errors import TrainingError
from raymed.losses import balanced_weights
from raymed.training.loop import EpochEnd, StepEnd

Make = Callable[..., Any]
ONE = {"train": "all", "epochs": 1, "lr": 1e-3}


def test_one_fold_and_the_test_split_are_not_learned_from(
    toy: Any, recipe: Make, trainer: Make
) -> None:
    drawn = np.concatenate(trainer(recipe(), fold=1).epoch_batches(0))
    assert sorted(drawn) == [row for row in range(36) if toy.samples.fold[row] in (0, 2)]


@pytest.mark.parametrize(
    ("per_patient", "batch", "steps"),
    # six patients of three images: 18 = 8 + 8 + 2; a last batch of one joins: 17 + 1
    [(None, 8, 3), (None, 17, 1), (3, 8, 3), (2, 8, 2), (1, 8, 1), (1, 2, 3)],
)
def test_samples_per_patient_set_the_steps_of_every_epoch(
    per_patient: int | None, batch: int, steps: int, recipe: Make, trainer: Make
) -> None:
    plan = recipe(samples_per_patient=per_patient, batch_size=batch)
    own = trainer(plan)
    assert own.steps_per_epoch == steps
    assert {len(own.epoch_batches(epoch)) for epoch in range(5)} == {steps}


def test_each_epoch_draws_its_own_order_and_its_own_samples(recipe: Make, trainer: Make) -> None:
    own = trainer(recipe(samples_per_patient=1))
    epochs = [np.concatenate(own.epoch_batches(epoch)) for epoch in range(6)]
    assert len({tuple(sorted(epoch)) for epoch in epochs}) > 1
    again = [np.concatenate(own.epoch_batches(epoch)) for epoch in range(6)]
    assert all(np.array_equal(one, two) for one, two in zip(epochs, again, strict=True))


def events(recipe: Any, trainer: Make, model: torch.nn.Module) -> list[Any]:
    return list(trainer(recipe).train(model))


def test_steps_and_epochs_count_through_all_phases(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    plan = recipe(phases=({**ONE, "train": "head"}, {**ONE, "epochs": 2, "ratio": 0.01}))
    told = events(plan, trainer, model_of(plan))
    assert [event.step for event in told if isinstance(event, StepEnd)] == list(range(1, 10))
    ends = [event for event in told if isinstance(event, EpochEnd)]
    assert [(end.phase, end.epoch, end.images) for end in ends] == [
        (1, 1, 18),
        (2, 2, 18),
        (2, 3, 18),
    ]
    assert [(end.lr_head, end.lr_stem) for end in ends[::2]] == [(1e-3, 1e-3), (1e-3, 1e-5)]


def test_rates_follow_the_schedule_of_the_phase(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    """Two epochs of three steps: a warm-up of three, then half a cosine over the other three."""
    plan = recipe(phases=({**ONE, "epochs": 2, "warmup": 0.5},))
    used: list[float] = []
    model = model_of(plan)
    model.head.register_forward_pre_hook(
        lambda *_: used.append(optimizers[0].param_groups[0]["lr"])
    )
    optimizers: list[torch.optim.Optimizer] = []
    own = trainer(plan)
    enter = type(own).enter

    def remember(*args: Any) -> torch.optim.Optimizer:
        optimizers.append(enter(*args))
        return optimizers[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(own), "enter", remember)
        list(own.train(model))
    # cosine at 0, 1/3 and 2/3 of its way: 1, 0.75, 0.25
    assert used == pytest.approx([1e-3 / 3, 2e-3 / 3, 1e-3, 1e-3, 0.75e-3, 0.25e-3])


def test_balanced_weights_change_the_first_loss_as_documented(
    toy: Any, recipe: Make, model_of: Make, trainer: Make
) -> None:
    plain, balanced = recipe(), recipe(class_weights="balanced")
    own = trainer(balanced)
    labels = toy.samples.labels
    weights = balanced_weights(labels[own.rows], 3)
    batch = torch.from_numpy(labels[own.epoch_batches(0)[0]])
    first = [events(plan, trainer, model_of(plan, zero=True))[0].loss for plan in (plain, balanced)]
    # a head of zeros: every sample's loss is ln 3 times its class's weight
    assert first[0] == pytest.approx(math.log(3))
    assert first[1] == pytest.approx(math.log(3) * weights[batch].mean().item())
    assert first[1] != pytest.approx(first[0], rel=0.01)


def step_length(clip: float | None, recipe: Make, model_of: Make, trainer: Make) -> float:
    """Take one step of plain gradient descent at rate 1; return how far all weights went."""
    sgd = {"name": "sgd", "momentum": 0.0, "weight_decay": 0.0, "clip": clip}
    plan = recipe(phases=({**ONE, "lr": 1.0},), batch_size=18, optimizer=sgd)
    model = model_of(plan)
    before = [parameter.detach().clone() for parameter in model.parameters()]
    assert len(events(plan, trainer, model)) == 2
    moves = [now - then for now, then in zip(model.parameters(), before, strict=True)]
    return torch.cat([move.detach().flatten() for move in moves]).norm().item()


def test_the_clip_limits_the_length_of_a_step(recipe: Make, model_of: Make, trainer: Make) -> None:
    free = step_length(None, recipe, model_of, trainer)
    assert step_length(free / 4, recipe, model_of, trainer) == pytest.approx(free / 4, rel=1e-3)
    assert step_length(free * 4, recipe, model_of, trainer) == pytest.approx(free, rel=1e-6)


def test_a_loss_that_explodes_is_an_error_that_names_phase_epoch_and_step(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    """Rate 1e30 makes step 1 of phase 2 send all weights to 1e30; step 2 multiplies them."""
    phases = ({**ONE, "train": "head", "epochs": 2}, {**ONE, "lr": 1e30})
    plan = recipe(phases=phases, optimizer={"clip": None})
    with pytest.raises(TrainingError, match=r"became nan in phase 2, epoch 3, step 2 at lr 1e\+30"):
        events(plan, trainer, model_of(plan))


def test_weights_that_are_no_numbers_stop_the_first_step_before_it_is_taken(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    model = model_of(recipe())
    torch.nn.init.constant_(model.head.bias, math.nan)
    before = model.head.weight.detach().clone()
    with pytest.raises(TrainingError, match="nan in phase 1, epoch 1, step 1"):
        events(recipe(), trainer, model)
    assert torch.equal(model.head.weight, before)
