"""Toys whose sharpness is known: bowls with a closed form, tiny ReLU networks."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
import torch
from torch import nn
from torch.nn import functional

from raymed.optim.sharpness import Loss

Bowl = tuple[nn.Module, Loss]
"""A model whose only parameter is a point w, and the loss 0.5 w'Aw."""


def _bowl(matrix: torch.Tensor, point: torch.Tensor) -> Bowl:
    model = nn.Module()
    model.point = nn.Parameter(point.clone())
    return model, lambda: 0.5 * model.point @ matrix @ model.point


def _relu_network(widths: Sequence[int], seed: int) -> nn.Sequential:
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for incoming, outgoing in pairwise(widths):
        layer = nn.Linear(incoming, outgoing)
        with torch.no_grad():
            layer.weight.copy_(torch.randn(layer.weight.shape, generator=generator) * 0.7)
            layer.bias.copy_(torch.randn(layer.bias.shape, generator=generator) * 0.2)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1]).double()


def _fit_to(model: nn.Module) -> Loss:
    generator = torch.Generator().manual_seed(1)
    batch = torch.randn(32, 3, generator=generator, dtype=torch.float64)
    labels = torch.randint(0, 3, (32,), generator=generator)
    return lambda: functional.cross_entropy(model(batch), labels)


@pytest.fixture(scope="session")
def bowl() -> Callable[[torch.Tensor, torch.Tensor], Bowl]:
    """Make the quadratic 0.5 w'Aw at a point."""
    return _bowl


@pytest.fixture(scope="session")
def relu_network() -> Callable[[Sequence[int], int], nn.Sequential]:
    """Make a network of linear layers and ReLUs in double precision."""
    return _relu_network


@pytest.fixture(scope="session")
def fit_to() -> Callable[[nn.Module], Loss]:
    """Make the cross-entropy of a model on 32 fixed samples of three numbers, three classes."""
    return _fit_to
