"""Options of a recipe in training: resumed exactly, the same in both of SAM's passes."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from raymed.losses import Mix
from raymed.models import build_classifier
from raymed.training import batch_loss, loader
from raymed.training.steps import take_fitting_step

Make = Callable[..., Any]
TWO = ({"train": "head", "epochs": 1, "lr": 1e-2}, {"train": "all", "epochs": 2, "lr": 1e-3})
OPTIONS: list[dict[str, Any]] = [
    {"evidential": {"anneal": 2}},
    {"head": {"kind": "prototypical", "shots": 1}},
    {"triplet": {}},
    {"center": {"weight": 0.1}},
    {"mixup": {}},
    {"mixup": {"kind": "input"}},
    {"mixup": {"kind": "cutmix"}},
    {"head": {"kind": "cosine", "margin": 0.1, "learn_scale": True}},
    {"head": "corn"},
    {"ordinal_smoothing": {}},
    {"squeeze_excite": {}},
    {"head": "cosine", "evidential": {}, "mixup": {"alpha": 1}, "sam": {"rho": 0.1}},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_a_fold_that_was_stopped_goes_on_to_the_same_bits(
    recipe: Make, run: Make, options: dict[str, Any]
) -> None:
    plan = recipe(phases=TWO, augmentation={}, **options)
    whole = run(plan)
    stopped = run(plan, stop=len(whole.epochs) * 2)

    assert run(plan, earlier=(stopped,)).equals(whole)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
def test_training_lowers_the_loss_on_what_it_learned(
    recipe: Make, run: Make, options: dict[str, Any]
) -> None:
    phases = ({"train": "all", "epochs": 12, "lr": 3e-3},)
    losses = run(recipe(phases=phases, **options)).epochs["loss"].to_pylist()

    # from epoch 3 on wrong evidence has its full price; an episode here is soon solved
    assert min(losses[-3:]) < max(losses[2], 1e-6)


@pytest.mark.parametrize("point", ["", "backbone.layer2"])
def test_a_share_of_one_is_plain_training_bit_for_bit(
    recipe: Make, run: Make, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    def whole(_: object, values: torch.Tensor, *others: object) -> Mix:
        return Mix(1.0, torch.rand(len(values)), point)

    plain = run(recipe(phases=TWO, augmentation={}))
    monkeypatch.setattr(loader, "draw_mix", whole)

    mixed = run(recipe(phases=TWO, augmentation={}, mixup={}))

    assert {k: v for k, v in plain.weights.items() if not torch.equal(v, mixed.weights[k])} == {}


def test_both_passes_of_sam_mix_alike(
    recipe: Make, model_of: Make, trainer: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[tuple[float, str, list[int]]] = []

    class Watched(Mix):
        def partners(self, rows: slice) -> torch.Tensor:
            found = super().partners(rows)
            seen.append((self.share, self.point, found.tolist()))
            return found

    draw = loader.draw_mix
    monkeypatch.setattr(loader, "draw_mix", lambda *all_: Watched(**vars(draw(*all_))))
    plan = recipe(mixup={"alpha": 1}, sam={"rho": 0.1})

    for _ in trainer(plan).train(model_of(plan)):
        pass

    assert len(seen) >= 4
    assert seen[::2] == seen[1::2]
    assert len({point for _, point, _ in seen}) > 1


def test_centres_move_once_a_step_whatever_passes_it_takes(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    after = []
    for sam in ("none", {"rho": 0.0}):
        plan = recipe(center={"weight": 0.01}, sam=sam)
        driver, model = trainer(plan), model_of(plan)
        optimizer = driver.enter(model, plan.phases[0])
        loss = driver.batch_loss(model, driver.rows[:8], driver.draws(0))
        take_fitting_step(optimizer, loss, plan, 1.0, driver.micro)
        after.append(model.centers)

    assert after[0].any()
    assert torch.equal(*after)


def test_a_batch_in_parts_moves_centres_as_a_whole_one(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    plan = recipe(center={"weight": 0.01}, freeze_batchnorm=True)
    after = []
    for most in (None, 3):
        driver, model = trainer(plan), model_of(plan)
        driver.micro.most = most
        optimizer = driver.enter(model, plan.phases[0])
        loss = driver.batch_loss(model, driver.rows[:8], driver.draws(0))
        take_fitting_step(optimizer, loss, plan, 1.0, driver.micro)
        after.append(model.centers)

    assert torch.allclose(*after, atol=1e-5)


def test_an_episode_is_never_cut(recipe: Make, model_of: Make, trainer: Make) -> None:
    plan = recipe(head={"kind": "prototypical", "shots": 1})
    driver = trainer(plan)
    driver.micro.most = 3
    loss = driver.batch_loss(model_of(plan, zero=True), driver.epoch_batches(0)[0], driver.draws(0))

    loss.cut(driver.micro)

    assert isinstance(loss, batch_loss.BatchLoss)
    assert len(loss.parts) == 1


def test_prototypes_are_the_means_of_all_that_was_learned(
    recipe: Make, run: Make, toy: Any, trainer: Make
) -> None:
    plan = recipe(head={"kind": "prototypical", "shots": 1, "embedding_dim": 8})
    weights = run(plan).weights
    driver = trainer(plan)
    model = build_classifier(plan, toy.samples.classes)
    model.load_state_dict(weights)
    embedded = model.head.embedding(
        torch.from_numpy(driver.inputs.features_of(model, driver.rows))
    ).detach()
    labels = toy.samples.labels[driver.rows]

    means = np.stack([embedded[labels == own].mean(0).numpy() for own in range(3)])
    assert np.allclose(weights["head.prototypes"].numpy(), means, atol=1e-5)


def test_an_evidential_member_says_what_it_believes(recipe: Make, run: Make) -> None:
    table = run(recipe(evidential={})).predictions
    extras = table["extras"].combine_chunks().flatten()
    logits = np.array(table["logits"].to_pylist())

    belief, uncertainty, expected = (np.array(part.to_pylist()) for part in extras)
    assert np.allclose(belief.sum(1) + uncertainty, 1, atol=1e-6)
    assert np.allclose(expected, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), atol=1e-6)


def test_any_other_member_says_nothing_more(recipe: Make, run: Make) -> None:
    assert "extras" not in run(recipe()).predictions.column_names
