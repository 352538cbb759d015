"""Rates by depth, decay by shape, nothing for what is frozen."""

from itertools import pairwise
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from raymed.config import Optimizer, Phase, Sam
from raymed.optim import SAM, build_optimizer, discriminative_rates

LAYERS = 5


def layers(count: int = LAYERS) -> tuple[nn.Module, list[list[str]]]:
    """A chain of linear layers, each a group of one matrix and one vector."""
    model = nn.Sequential(*(nn.Linear(2, 2) for _ in range(count)))
    return model, [[f"{index}.weight", f"{index}.bias"] for index in range(count)]


def rates(optimizer: torch.optim.Optimizer, model: nn.Module) -> dict[str, float]:
    """Each parameter's learning rate; a parameter given twice is an error."""
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    pairs = [
        (names[id(parameter)], group["lr"])
        for group in optimizer.param_groups
        for parameter in group["params"]
    ]
    assert len(pairs) == len(dict(pairs))
    return dict(pairs)


def build(model: nn.Module, groups: list[list[str]], **phase: Any) -> torch.optim.Optimizer:
    return build_optimizer(model, groups, Phase(epochs=1, **{"lr": 1e-2, **phase}), Optimizer())


def test_rates_rise_geometrically_from_lr_times_ratio_to_lr() -> None:
    model, groups = layers()
    found = rates(build(model, groups, ratio=1e-4), model)
    # five groups, lr 1e-2, ratio 1e-4: each step up multiplies by (1e-4)^(-1/4) = 10
    expected = {0: 1e-6, 1: 1e-5, 2: 1e-4, 3: 1e-3, 4: 1e-2}
    assert found == pytest.approx({n: expected[i] for i, g in enumerate(groups) for n in g})


@given(
    count=st.integers(2, 30),
    ratio=st.floats(1e-6, 1),
    lr=st.floats(1e-8, 10),
)
def test_the_ratio_is_kept_end_to_end_at_every_depth(count: int, ratio: float, lr: float) -> None:
    model, groups = layers(count)
    found = list(rates(build(model, groups, ratio=ratio, lr=lr), model).values())[::2]
    assert found[-1] == lr
    assert found[0] == pytest.approx(lr * ratio)
    assert found == sorted(found)
    steps = [below / above for below, above in pairwise(found)]
    assert steps == pytest.approx([ratio ** (1 / (count - 1))] * (count - 1))


def test_a_factor_of_a_tenth_over_five_groups_goes_from_1e_7_to_1e_3() -> None:
    assert discriminative_rates(5, 1e-3, factor=0.1) == [1e-7, 1e-6, 1e-5, 1e-4, 1e-3]
    model, groups = layers()
    found = rates(build(model, groups, factor=0.1, lr=1e-3), model)
    assert list(found.values())[::2] == [1e-7, 1e-6, 1e-5, 1e-4, 1e-3]


@given(count=st.integers(2, 30), ratio=st.floats(1e-6, 1))
def test_a_ratio_is_the_factor_that_its_depth_asks_for(count: int, ratio: float) -> None:
    factor = ratio ** (1 / (count - 1))
    by_ratio, by_factor = (
        discriminative_rates(count, 1e-3, **{name: value})  # type: ignore[arg-type]
        for name, value in (("ratio", ratio), ("factor", factor))
    )
    assert by_ratio == pytest.approx(by_factor)


def test_the_recipes_sam_goes_around_its_optimizer() -> None:
    model, groups = layers()
    phase = Phase(epochs=1, lr=1e-2, ratio=0.1)
    sam = build_optimizer(model, groups, phase, Optimizer(), Sam(variant="looksam", rho=0.3))
    assert isinstance(sam, SAM)
    assert isinstance(sam.base, torch.optim.AdamW)
    assert (sam.look_every, sam.look.alpha) == (5, 0.7)
    assert {group["rho"] for group in sam.param_groups} == {0.3}
    assert sam.param_groups[-1]["base_lr"] == 1e-2


def test_ratio_one_is_one_rate() -> None:
    model, groups = layers()
    assert set(rates(build(model, groups), model).values()) == {1e-2}


def test_a_single_group_learns_at_the_heads_rate() -> None:
    model, groups = layers(1)
    assert set(rates(build(model, groups, ratio=0.1), model).values()) == {1e-2}


def test_only_matrices_and_kernels_decay() -> None:
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(2, 2))
    names = [name for name, _ in model.named_parameters()]
    recipe = Optimizer(weight_decay=0.3)
    optimizer = build_optimizer(model, [names], Phase(epochs=1, lr=1e-2), recipe)
    decay = {
        tuple(parameter.shape): group["weight_decay"]
        for group in optimizer.param_groups
        for parameter in group["params"]
    }
    assert decay == {(2, 1, 3, 3): 0.3, (2, 2): 0.3, (2,): 0.0}


def test_frozen_parameters_are_not_given_to_the_optimizer() -> None:
    model, groups = layers()
    model[:3].requires_grad_(False)
    found = rates(build(model, groups, ratio=1e-4), model)
    assert set(found) == {"3.weight", "3.bias", "4.weight", "4.bias"}
    assert found["4.weight"] == 1e-2  # depth still counts from the whole model
    assert found["3.weight"] == pytest.approx(1e-3)


def test_new_layers_learn_at_lr_and_the_old_count_down_from_a_tenth() -> None:
    model, groups = layers()
    new = [*groups[3], "4.weight", "4.bias"]
    phase = Phase(epochs=1, lr=1e-2, ratio=1e-2, new_layers=10)
    found = rates(build_optimizer(model, groups, phase, Optimizer(), new=new), model)
    # three old groups: lr / 10 = 1e-3 at their top, 1e-3 * ratio = 1e-5 at the stem
    expected = {0: 1e-5, 1: 1e-4, 2: 1e-3, 3: 1e-2, 4: 1e-2}
    assert found == pytest.approx({n: expected[i] for i, g in enumerate(groups) for n in g})


def test_new_layers_are_told_apart_within_one_group_too() -> None:
    model, groups = layers(2)
    together = [[name for names in groups for name in names]]
    phase = Phase(epochs=1, lr=1e-2, new_layers=4)
    found = rates(build_optimizer(model, together, phase, Optimizer(), new=groups[1]), model)
    assert found == pytest.approx(
        {"0.weight": 2.5e-3, "0.bias": 2.5e-3, "1.weight": 1e-2, "1.bias": 1e-2}
    )


def test_without_new_layers_their_factor_means_nothing() -> None:
    model, groups = layers()
    found = [rates(build(model, groups, ratio=0.1, new_layers=n), model) for n in (1, 100)]
    assert found[0] == found[1]


def test_every_group_remembers_its_own_rate() -> None:
    model, groups = layers()
    for group in build(model, groups, ratio=0.01).param_groups:
        assert group["base_lr"] == group["lr"]


def test_the_recipe_names_the_optimizer() -> None:
    model, groups = layers()
    phase = Phase(epochs=1, lr=1e-2)
    adamw = build_optimizer(model, groups, phase, Optimizer())
    sgd = build_optimizer(model, groups, phase, Optimizer(name="sgd", momentum=0.7))
    assert isinstance(adamw, torch.optim.AdamW)
    assert isinstance(sgd, torch.optim.SGD)
    assert {group["momentum"] for group in sgd.param_groups} == {0.7}
