"""Tiny networks, a batch for them, and SAM written down as the paper does."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional

from raymed.optim import SAM, sam_step

Weights = dict[str, torch.Tensor]
Train = Callable[..., Weights]


def make_net(*, batchnorm: bool = False, dropout: float = 0.0, seed: int = 0) -> nn.Module:
    """Four inputs, three classes, in fp64; `unused` never gets a gradient."""
    torch.manual_seed(seed)
    layers: list[nn.Module] = [nn.Linear(4, 8)]
    layers += [nn.BatchNorm1d(8)] if batchnorm else []
    layers += [nn.Tanh(), nn.Dropout(dropout), nn.Linear(8, 3)]
    net = nn.Sequential(*layers).double()
    net.register_parameter("unused", nn.Parameter(torch.ones(2, dtype=torch.float64)))
    return net


@pytest.fixture
def net() -> Callable[..., nn.Module]:
    return make_net


@pytest.fixture
def batches() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Five batches of six."""
    generator = torch.Generator().manual_seed(1)
    return [
        (
            torch.randn(6, 4, generator=generator, dtype=torch.float64),
            torch.randint(3, (6,), generator=generator),
        )
        for _ in range(5)
    ]


def loss_of(net: nn.Module, batch: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
    return functional.cross_entropy(net(batch[0]), batch[1])


def weights(net: nn.Module) -> Weights:
    return {name: value.detach().clone() for name, value in net.state_dict().items()}


def same(left: Weights, right: Weights) -> bool:
    """Whether two networks are the same to the last bit."""
    return all(torch.equal(left[name], right[name]) for name in left)


def textbook(net: nn.Module, batches: Any, optimizer: SAM) -> None:
    """The loop that everybody writes."""
    for batch in batches:
        loss_of(net, batch).backward()
        optimizer.first_step(zero_grad=True)
        loss_of(net, batch).backward()
        optimizer.second_step(zero_grad=True)


def closures(net: nn.Module, batches: Any, optimizer: SAM) -> None:
    """The loop of optimizers that want a closure."""
    for batch in batches:

        def closure(batch: Any = batch) -> torch.Tensor:
            optimizer.zero_grad()
            loss = loss_of(net, batch)
            loss.backward()
            return loss

        optimizer.step(closure)


def sam_steps(net: nn.Module, batches: Any, optimizer: SAM) -> None:
    """The loop that leaves the rest to `sam_step`."""
    for batch in batches:
        sam_step(net, optimizer, lambda batch=batch: loss_of(net, batch))  # type: ignore[misc]


def by_the_book(
    net: nn.Module, batches: Any, base: torch.optim.Optimizer, rho: float
) -> Iterator[float]:
    """SAM as in the paper: gradient, climb along its direction, gradient there, step at w."""
    for batch in batches:
        base.zero_grad()
        loss_of(net, batch).backward()
        own = [p for p in net.parameters() if p.grad is not None]
        norm = torch.sqrt(sum((p.grad**2).sum() for p in own))  # type: ignore[arg-type, misc]
        before = [p.detach().clone() for p in own]
        with torch.no_grad():
            for p in own:
                p += rho * p.grad / norm
        base.zero_grad()
        loss_of(net, batch).backward()
        with torch.no_grad():
            for p, w in zip(own, before, strict=True):
                p.copy_(w)
        base.step()
        yield float(norm)
