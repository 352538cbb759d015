"""Every measure leaves the model as it found it, bit for bit, whatever happens."""

import json
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from raymed.errors import InputError
from raymed.optim.sharpness import (
    NoSecondDerivativeError,
    accuracy_drop,
    adaptive_sharpness,
    hessian_trace,
    loss_line,
    loss_plane,
    measure_sharpness,
    rho_sharpness,
    top_eigenvalue,
)

MEASURES: dict[str, Callable[..., Any]] = {
    "rho": lambda model, loss: rho_sharpness(model, loss, steps=3),
    "adaptive": lambda model, loss: adaptive_sharpness(model, loss, steps=3),
    "noise": lambda model, loss: accuracy_drop(model, lambda: float(loss().detach()), draws=3),
    "eigenvalue": lambda model, loss: top_eigenvalue(model, loss, iterations=3),
    "trace": lambda model, loss: hessian_trace(model, loss, probes=2),
    "line": lambda model, loss: loss_line(model, loss, points=3),
    "plane": lambda model, loss: loss_plane(model, loss, points=3),
    "all": lambda model, loss: measure_sharpness(
        model, loss, lambda: float(loss().detach()), iterations=3, probes=2, draws=2
    ),
}


def _network() -> tuple[nn.Module, Callable[[], torch.Tensor]]:
    """A network with BatchNorm and dropout, in mixed modes, with gradients and one frozen part."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.5),
        nn.Linear(4 * 9, 3),
    )
    model.to(memory_format=torch.channels_last)
    with torch.no_grad():
        model[1].weight[0] = -0.0  # adding 0 would lose its sign
    model[1].eval()
    model[5].bias.requires_grad_(False)
    batch, labels = torch.randn(8, 1, 5, 5), torch.randint(0, 3, (8,))
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    return model, lambda: functional.cross_entropy(model(batch), labels)


def _bits(model: nn.Module) -> dict[str, Any]:
    state = {name: value.clone() for name, value in model.state_dict().items()}
    bits = {
        name: value.view(torch.int32).tolist() if value.is_floating_point() else value.tolist()
        for name, value in state.items()
    }
    modes = [module.training for module in model.modules()]
    grads = [parameter.grad.tolist() for parameter in model.parameters()]
    return {"bits": bits, "modes": modes, "grads": grads}


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())
def test_a_measured_model_comes_back_bit_for_bit(measure: Callable[..., Any]) -> None:
    model, loss = _network()
    before = _bits(model)

    first = measure(model, loss)

    assert _bits(model) == before
    assert measure(model, loss) == first  # in eval mode, so dropout changes nothing


@pytest.mark.parametrize("measure", MEASURES.values(), ids=MEASURES.keys())
def test_a_loss_that_raises_leaves_the_model_as_it_was(measure: Callable[..., Any]) -> None:
    model, loss = _network()
    before, calls = _bits(model), []

    def failing() -> torch.Tensor:
        calls.append(1)
        if len(calls) == 2:
            raise RuntimeError("no more")
        return loss()

    with pytest.raises(RuntimeError, match="no more"):
        measure(model, failing)

    assert _bits(model) == before


def test_a_frozen_model_has_nothing_to_measure() -> None:
    model, loss = _network()
    with pytest.raises(InputError, match="no parameter requires a gradient"):
        rho_sharpness(model.requires_grad_(False), loss)


def test_all_figures_are_those_of_the_single_measures_and_plain_json() -> None:
    model, loss = _network()

    found = measure_sharpness(
        model, loss, lambda: 0.25, rho=0.1, steps=2, iterations=4, probes=3, draws=2, seed=5
    )

    model.eval()
    assert found.loss == pytest.approx(loss().item())
    model.train()
    assert found.accuracy == 0.25
    assert found.parameters == 36 + 4 + 4 + 4 + 108  # the last bias is frozen
    assert found.one_step == rho_sharpness(model, loss, rho=0.1)
    assert found.several_steps == rho_sharpness(model, loss, rho=0.1, steps=2)
    assert found.adaptive == adaptive_sharpness(model, loss, rho=0.5, steps=2)
    assert found.trace == hessian_trace(model, loss, probes=3, seed=5).mean
    assert found.accuracy_drop == 0
    again = json.loads(json.dumps(asdict(found), allow_nan=False))
    assert type(found)(**again) == found


def test_without_a_second_derivative_only_the_curvature_is_missing() -> None:
    """PyTorch knows none of hardsigmoid, which MobileNetV3 is made of."""
    torch.manual_seed(0)
    model, batch = nn.Sequential(nn.Linear(3, 4), nn.Hardsigmoid(), nn.Linear(4, 1)), torch.ones(3)
    with pytest.raises(NoSecondDerivativeError, match="hardsigmoid"):
        hessian_trace(model, lambda: model(batch).square().sum())

    found = measure_sharpness(model, lambda: model(batch).square().sum(), lambda: 1.0)

    assert (found.top_eigenvalue, found.trace, found.trace_error) == (None, None, None)
    assert found.one_step > 0
