"""Random changes of training images: batched, each sample with its own draw."""

import math

import torch
from torch.nn import functional

from raymed.config import Augmentation


def augment(
    images: torch.Tensor, strength: Augmentation, generator: torch.Generator
) -> torch.Tensor:
    """Change float images [b, c, h, w] in 0..1: one affine warp, then intensity and noise.

    All draws come from the CPU `generator`, so that a batch is the same on every device.
    """
    warped = _warp(images, _affine(len(images), strength, generator).to(images))
    shape = (len(images), 1, 1, 1)
    contrast = 1 + strength.contrast * _uniform(shape, generator).to(images)
    brightness = strength.brightness * _uniform(shape, generator).to(images)
    changed = (warped - 0.5) * contrast + 0.5 + brightness
    if strength.noise > 0:
        noise = torch.randn(images.shape, generator=generator).to(images)
        changed = changed + strength.noise * noise
    return changed.clamp_(0, 1)


def _uniform(shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    return torch.rand(shape, generator=generator) * 2 - 1


def _affine(count: int, strength: Augmentation, generator: torch.Generator) -> torch.Tensor:
    """Draw [count, 2, 3] matrices in the coordinates of `affine_grid` (-1..1)."""
    angle = _uniform((count,), generator) * strength.rotate * math.pi / 180
    zoom = 1 + _uniform((count,), generator) * strength.scale
    shift = _uniform((count, 2), generator) * strength.shift * 2
    flips = torch.rand((count, 2), generator=generator)
    horizontal = 1 - 2 * ((flips[:, 0] < 0.5) & strength.horizontal_flip).float()
    vertical = 1 - 2 * ((flips[:, 1] < 0.5) & strength.vertical_flip).float()
    cos, sin = torch.cos(angle) / zoom, torch.sin(angle) / zoom
    rows = [
        torch.stack([cos * horizontal, -sin * vertical, shift[:, 0]], dim=1),
        torch.stack([sin * horizontal, cos * vertical, shift[:, 1]], dim=1),
    ]
    return torch.stack(rows, dim=1)


def _warp(images: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    grid = functional.affine_grid(matrices, list(images.shape), align_corners=False)
    return functional.grid_sample(images, grid, padding_mode="zeros", align_corners=False)
