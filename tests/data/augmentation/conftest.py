"""Generators, images of noise, and augmentations that do one thing only."""

from collections.abc import Callable

import pytest
import torch

from raymed.config import Augmentation

Only = Callable[..., Augmentation]
Noise = Callable[..., torch.Tensor]


@pytest.fixture
def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def noise() -> Noise:
    """Make images [count, channels, side, side] in 0..1."""

    def make(count: int = 6, channels: int = 1, side: int = 17) -> torch.Tensor:
        return torch.rand(count, channels, side, side, generator=torch.Generator().manual_seed(9))

    return make


@pytest.fixture
def only() -> Only:
    """Ask for some amounts, all others off."""
    return lambda **amounts: Augmentation(preset="none", **amounts)
