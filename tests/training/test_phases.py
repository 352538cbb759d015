"""What a phase trains and what stands still."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from raymed.config import Phase, Recipe
from raymed.models import Classifier, layer_groups
from raymed.training.loop import EpochEnd, Trainer
from raymed.training.phases import enter_phase

Make = Callable[..., Any]
HEAD = {"train": "head", "epochs": 1, "lr": 1e-2}
ALL = {"train": "all", "epochs": 1, "lr": 1e-2}


def train(model: Classifier, trainer: Trainer) -> tuple[set[str], set[str]]:
    """Train through all phases; return the names that stayed and those that moved."""
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in trainer.train(model):
        pass
    after = model.state_dict()
    stayed = {name for name in before if torch.equal(before[name], after[name])}
    return stayed, set(before) - stayed


def statistics(model: Classifier) -> set[str]:
    return {name for name, _ in model.named_buffers() if "running" in name or "num_b" in name}


@pytest.mark.parametrize("frozen", [True, False])
@pytest.mark.parametrize("name", ["test_resnet", "test_vit"])
def test_a_head_phase_moves_the_head_and_no_bit_of_the_backbone(
    name: str, frozen: bool, recipe: Make, model_of: Make, trainer: Make
) -> None:
    plan: Recipe = recipe(model=name, phases=(HEAD,), freeze_batchnorm=frozen)
    stayed, moved = train(model_of(plan), trainer(plan))
    assert moved == {"head.weight", "head.bias"}
    assert stayed


def test_frozen_batchnorm_keeps_its_statistics_while_all_layers_learn(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    plan = recipe(phases=(ALL,), freeze_batchnorm=True)
    model = model_of(plan)
    stayed, moved = train(model, trainer(plan))
    assert stayed == statistics(model) != set()
    assert moved == {name for name, _ in model.named_parameters()}


def test_from_scratch_batchnorm_learns_its_statistics(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    plan = recipe(phases=(ALL,))
    assert plan.pretrained.source == "none"
    model = model_of(plan)
    stayed, moved = train(model, trainer(plan))
    assert not stayed
    assert statistics(model) <= moved


@pytest.mark.parametrize("frozen", [True, False])
def test_a_frozen_backbone_is_in_eval_mode_and_the_head_in_train_mode(
    frozen: bool, recipe: Make, model_of: Make
) -> None:
    model = model_of(recipe(dropout=0.5)).eval()
    enter_phase(model, Phase(**HEAD), freeze_batchnorm=frozen)
    assert not any(module.training for module in model.backbone.modules())
    assert model.dropout.training
    assert [n for n, p in model.named_parameters() if p.requires_grad] == [
        "head.weight",
        "head.bias",
    ]
    enter_phase(model, Phase(**ALL), freeze_batchnorm=frozen)
    still = {module for module in model.modules() if not module.training}
    norms = {module for module in model.modules() if isinstance(module, torch.nn.BatchNorm2d)}
    assert still == (norms if frozen else set())
    assert all(parameter.requires_grad for parameter in model.parameters())


def test_the_modes_of_a_phase_come_back_after_a_prediction_within_it(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    """The caller predicts between epochs, which sets eval: the next epoch must not notice."""
    plan = recipe(phases=({**ALL, "epochs": 2},), dropout=0.5)
    trained = []
    for disturb in (False, True):
        model = model_of(plan)
        for _ in trainer(plan).train(model):
            if disturb and _.__class__.__name__ == "EpochEnd":
                model.eval()
        trained.append(model.state_dict())
    assert all(torch.equal(trained[0][name], trained[1][name]) for name in trained[0])


def test_gradual_unfreezing_lets_one_group_more_learn_each_epoch(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    plan = recipe(phases=({**ALL, "epochs": 4, "unfreeze": True},), freeze_batchnorm=False)
    model = model_of(plan)
    groups = layer_groups(model)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    moved_groups = []
    for event in trainer(plan).train(model):
        if isinstance(event, EpochEnd):
            after = model.state_dict()
            moved = {name for name in before if not torch.equal(before[name], after[name])}
            moved_groups.append([any(name in moved for name in names) for names in groups])
    assert len(groups) > 4
    for epoch, flags in enumerate(moved_groups):
        assert flags == [False] * (len(groups) - 1 - epoch) + [True] * (epoch + 1)


def test_batchnorm_of_layers_not_yet_unfrozen_keeps_its_statistics(
    recipe: Make, model_of: Make, trainer: Make
) -> None:
    plan = recipe(phases=({**ALL, "epochs": 1, "unfreeze": True},), freeze_batchnorm=False)
    model = model_of(plan)
    stayed, _ = train(model, trainer(plan))
    assert statistics(model) <= stayed


def test_a_frozen_backbone_records_nothing_for_a_backward_pass(
    recipe: Make, model_of: Make
) -> None:
    model = model_of(recipe())
    enter_phase(model, Phase(**HEAD), freeze_batchnorm=True)
    held: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        held.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        features = model.features(torch.rand(8, 1, 32, 32))
        assert held == []
        model.classify(features).sum().backward()
    assert sum(held) <= features.numel() + model.head.weight.numel()
    assert all(parameter.grad is None for parameter in model.backbone.parameters())
