"""The same seed gives the same bits, and what a model never saw cannot change it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from raymed.data.predictions import logits_of
from raymed.training import compute_features

Make = Callable[..., Any]
PHASES = (
    {"train": "head", "epochs": 1, "lr": 1e-2},
    {"train": "all", "epochs": 2, "lr": 1e-3, "ratio": 0.1},
)


@pytest.fixture(params=["test_resnet", "test_vit"])
def plan(request: pytest.FixtureRequest, recipe: Make) -> Any:
    return recipe(
        model=request.param,
        phases=PHASES,
        dropout=0.3,
        augmentation={"noise": 0.1},
        samples_per_patient=2,
        class_weights="balanced",
        label_smoothing=0.1,
    )


def test_the_same_seed_gives_the_same_bits(plan: Any, run: Make) -> None:
    first = run(plan)
    torch.rand(5)  # what the process drew before must not matter
    np.random.default_rng().random()
    assert run(plan, report=1e9).equals(first)


def test_another_seed_gives_another_model(plan: Any, run: Make) -> None:
    first, other = (logits_of(run(plan, seed=seed).predictions) for seed in (3, 4))
    assert not np.allclose(first, other)


def test_the_seed_orders_the_samples_even_when_the_first_weights_are_given(
    recipe: Make, model_of: Make, tmp_path: Path, run: Make
) -> None:
    torch.save(model_of(recipe()).backbone.state_dict(), tmp_path / "weights.pth")
    plan = recipe(pretrained={"file": tmp_path / "weights.pth"})
    first, other = (logits_of(run(plan, seed=seed).predictions) for seed in (3, 4))
    assert not np.allclose(first, other)


def unseen(toy: Any, fold: int) -> Any:
    return np.concatenate([toy.samples.held_out_rows(fold), toy.samples.test_rows()])


def test_a_folds_own_samples_and_the_test_split_change_nothing(
    toy: Any, plan: Any, run: Make, tmp_path: Path
) -> None:
    changed = toy.changed(tmp_path / "changed", unseen(toy, 1))
    before, after = run(plan, fold=1), run(plan, fold=1, data=changed)
    assert all(torch.equal(before.weights[name], after.weights[name]) for name in before.weights)
    assert before.epochs["loss"].equals(after.epochs["loss"])
    # the change did reach the fold: its predictions and its diagnostic loss are others
    assert not before.predictions["logits"].equals(after.predictions["logits"])
    assert not before.epochs["held_out_loss"].equals(after.epochs["held_out_loss"])


def test_a_training_sample_does_change_the_model(
    toy: Any, plan: Any, run: Make, tmp_path: Path
) -> None:
    """The test above would pass on anything if this did not hold."""
    changed = toy.changed(tmp_path / "changed", toy.samples.training_rows(1)[:3])
    before, after = run(plan, fold=1), run(plan, fold=1, data=changed)
    assert not torch.equal(before.weights["head.weight"], after.weights["head.weight"])


def test_a_probes_own_samples_and_the_test_split_change_nothing(
    toy: Any, recipe: Make, run: Make, tmp_path: Path
) -> None:
    """The features of all samples are computed together, yet each by itself."""
    plan = recipe(phases=({"train": "head", "epochs": 3, "lr": 1e-2},), class_weights="balanced")
    weights = []
    for data in (toy, toy.changed(tmp_path / "changed", unseen(toy, 1))):
        for _ in compute_features(plan, data.images, data.features, "cpu", 3):
            pass
        weights.append(run(plan, fold=1, data=data, features=True).weights)
    assert weights[0]["head.weight"].any()
    assert all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])
