"""What each sample of a batch draws, apart from the images: the same on every device."""

import dataclasses
import math
from dataclasses import dataclass
from typing import Self

import torch

from raymed.config import Augmentation
from raymed.data.augmentation.fields import BIAS_TERMS, WAVES


@dataclass(frozen=True)
class Draws:
    """One row a sample in every tensor, on the CPU; None where nothing of the kind is asked."""

    matrices: torch.Tensor  # [b, 2, 3], in the coordinates of `affine_grid` (-1..1)
    contrast: torch.Tensor  # [b], factors
    brightness: torch.Tensor  # [b], added
    exponents: torch.Tensor | None = None  # [b, c]
    bias: torch.Tensor | None = None  # [b, 1 + BIAS_TERMS]: the amplitude, then the terms' weights
    waves: torch.Tensor | None = None  # [b, 2, 1 + WAVES]: the same of a deformation, across, down
    line: torch.Tensor | None = None  # [b, 2], the blur's length as a share of the side, its angle
    noise: torch.Tensor | None = None  # [b, 1 or 2 (Rician), c, h, w], standard normal

    def take(self, rows: torch.Tensor) -> Self:
        """Give the draws of some rows, in their order; a row may come several times."""
        own = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        return dataclasses.replace(
            self, **{name: value[rows] for name, value in own.items() if value is not None}
        )


def draw(shape: torch.Size, asked: Augmentation, generator: torch.Generator) -> Draws:
    """Draw for images of a shape [b, c, h, w]."""
    count, channels = shape[:2]
    matrices = _affine(count, asked, generator)
    contrast = 1 + asked.amount("contrast") * uniform((count,), generator)
    brightness = asked.amount("brightness") * uniform((count,), generator)
    line = None
    if asked.amount("blur") > 0:
        line = torch.rand((count, 2), generator=generator)
        line = line * torch.tensor([asked.amount("blur"), math.pi])
    return Draws(
        matrices,
        contrast,
        brightness,
        _exponents(count, channels, asked, generator),
        _weights((count, 1 + BIAS_TERMS), asked.amount("bias"), generator),
        _weights((count, 2, 1 + WAVES), asked.amount("elastic"), generator),
        line,
        _noise(shape, asked, generator),
    )


def uniform(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    """Draw from -1 to 1."""
    return torch.rand(shape, generator=generator) * 2 - 1


def _affine(count: int, asked: Augmentation, generator: torch.Generator) -> torch.Tensor:
    angle = uniform((count,), generator) * asked.amount("rotate") * math.pi / 180
    zoom = 1 + uniform((count,), generator) * asked.amount("scale")
    shift = uniform((count, 2), generator) * asked.amount("shift") * 2
    flips = torch.rand((count, 2), generator=generator) < asked.flip_share
    horizontal = 1 - 2 * (flips[:, 0] & asked.horizontal_flip).float()
    vertical = 1 - 2 * (flips[:, 1] & asked.vertical_flip).float()
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    rows = [
        torch.stack([cos * horizontal, -sin * vertical, shift[:, 0]], dim=1),
        torch.stack([sin * horizontal, cos * vertical, shift[:, 1]], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _exponents(
    count: int, channels: int, asked: Augmentation, generator: torch.Generator
) -> torch.Tensor | None:
    gamma, colour = asked.amount("gamma"), asked.amount("colour")
    exponents = None
    if gamma > 0:
        exponents = torch.exp(uniform((count, 1), generator) * math.log1p(gamma))
        exponents = exponents.expand(count, channels)
    if colour > 0 and channels > 1:
        apart = 1 + colour * uniform((count, channels), generator)
        exponents = apart if exponents is None else exponents * apart
    return exponents


def _weights(
    shape: tuple[int, ...], most: float, generator: torch.Generator
) -> torch.Tensor | None:
    """Draw an amplitude in 0..most, and the weights of a smooth field's terms."""
    if most <= 0:
        return None
    drawn = uniform(shape, generator)
    drawn[..., 0] = drawn[..., 0].abs() * most
    return drawn


def _noise(
    shape: torch.Size, asked: Augmentation, generator: torch.Generator
) -> torch.Tensor | None:
    if asked.amount("noise") <= 0:
        return None
    parts = 2 if asked.noise_kind == "rician" else 1
    return torch.randn((shape[0], parts, *shape[1:]), generator=generator)
