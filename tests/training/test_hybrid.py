"""A hybrid trains: its new layers in every phase, its CNN when all layers learn."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from raymed.config import Phase, Recipe
from raymed.training.phases import enter_phase

Make = Callable[..., Any]
HEAD = {"train": "head", "epochs": 2, "lr": 1e-2}
ALL = {"train": "all", "epochs": 2, "lr": 1e-2, "ratio": 0.1, "warmup": 0.2}
STEPS = 3  # 18 training rows in batches of 8


@pytest.fixture
def hybrid(recipe: Make) -> Make:
    """Make a recipe of a small hybrid with every source of randomness."""

    def make(**changes: Any) -> Recipe:
        plain = {
            "model": "hybrid/test_resnet",
            "hybrid": {"embedding_dim": 16, "heads": 2, "layers": 2, "dropout": 0.2},
            "phases": (HEAD, ALL),
            "dropout": 0.3,
            "augmentation": {"noise": 0.1},
        }
        return recipe(**{**plain, **changes})  # type: ignore[no-any-return]

    return make


def moved_by_training(model: Any, trainer: Any) -> set[str]:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    for _ in trainer.train(model):
        pass
    return {name for name, value in model.state_dict().items() if not value.equal(before[name])}


@pytest.mark.parametrize("frozen", [True, False])
def test_a_head_phase_trains_all_new_layers_and_no_bit_of_the_cnn(
    frozen: bool, hybrid: Make, model_of: Make, trainer: Make
) -> None:
    plan = hybrid(phases=(HEAD,), freeze_batchnorm=frozen)
    assert not plan.is_probe
    model = model_of(plan)
    assert moved_by_training(model, trainer(plan)) == set(model.new_parameters())


def test_a_phase_of_all_layers_trains_the_cnn_too_but_for_frozen_statistics(
    hybrid: Make, model_of: Make, trainer: Make
) -> None:
    plan = hybrid(phases=(ALL,), freeze_batchnorm=True)
    model = model_of(plan)
    moved = moved_by_training(model, trainer(plan))
    assert moved == {name for name, _ in model.named_parameters()}


@pytest.mark.parametrize("frozen", [True, False])
def test_in_a_head_phase_only_the_cnn_is_in_eval_mode(
    frozen: bool, hybrid: Make, model_of: Make
) -> None:
    model = model_of(hybrid()).eval()
    enter_phase(model, Phase(**HEAD), freeze_batchnorm=frozen)
    still = {module for module in model.modules() if not module.training}
    assert still == set(model.backbone.cnn.modules())
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    assert trained == model.new_parameters()


def test_the_cnn_learns_at_most_at_a_tenth_of_the_new_layers_rate(
    hybrid: Make, model_of: Make, trainer: Make
) -> None:
    for phase in (ALL, {**ALL, "ratio": 1.0}):
        plan = hybrid(phases=(phase,))
        model = model_of(plan)
        optimizer = trainer(plan).enter(model, plan.phases[0])
        names = {id(p): name for name, p in model.named_parameters()}
        rates = {
            names[id(p)]: group["base_lr"]
            for group in optimizer.param_groups
            for p in group["params"]
        }
        assert rates.keys() == set(names.values())
        new = model.new_parameters()
        assert {rates[name] for name in new} == {1e-2}
        cnn = [rate for name, rate in rates.items() if name not in new]
        assert max(cnn) == pytest.approx(1e-3)
        assert rates["backbone.cnn.conv1.0.weight"] == pytest.approx(1e-3 * phase["ratio"])
        assert min(cnn) == pytest.approx(1e-3 * phase["ratio"])


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_stopped_hybrid_continues_bit_for_bit(hybrid: Make, run: Make, precision: str) -> None:
    plan = hybrid(precision=precision)
    whole = run(plan)
    for epoch in (2, 4):  # stopped within it: 2 is the head phase's last, 4 the other's
        stopped = run(plan, stop=(epoch - 1) * STEPS + 2)
        continued = run(plan, earlier=(stopped,))
        assert continued.reports[0].step == (epoch - 1) * STEPS + 1
        assert continued.equals(whole)
    assert whole.epochs["train"].to_pylist() == ["head", "head", "all", "all"]
    assert np.isfinite(np.array(whole.predictions["logits"].to_pylist())).all()


def test_the_gate_opens(hybrid: Make, run: Make) -> None:
    gate = run(hybrid()).weights["backbone.encoder.gate"]
    assert (gate != 0).all()
    assert torch.isfinite(gate).all()
