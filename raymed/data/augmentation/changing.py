"""Changes of a batch, in the order in which a scanner makes them."""

import torch

from raymed.config import Augmentation
from raymed.data.augmentation.blur import smear
from raymed.data.augmentation.draws import Draws
from raymed.data.augmentation.fields import bias_fields, deformations
from raymed.data.augmentation.geometry import warp
from raymed.data.augmentation.intensity import add_noise, retone


def change(images: torch.Tensor, draws: Draws, asked: Augmentation) -> torch.Tensor:
    """Change images [b, c, h, w] in 0..1 as drawn: what moves, blurs, shades, tones, and noise."""
    height, width = images.shape[2:]
    changed = images
    if asked.moves:
        moved = None
        if draws.waves is not None:
            moved = deformations(draws.waves.to(images), height, width)
        changed = warp(changed, draws.matrices.to(images), moved, asked.outside)
    if draws.line is not None:
        changed = smear(changed, draws.line.to(images), asked.amount("blur"))
    if draws.bias is not None:
        changed = changed * bias_fields(draws.bias.to(images), height, width)
    exponents = None if draws.exponents is None else draws.exponents.to(images)
    changed = retone(changed, draws.contrast.to(images), draws.brightness.to(images), exponents)
    if draws.noise is not None:
        noise = draws.noise.to(images)
        changed = add_noise(changed, noise, asked.amount("noise"), asked.noise_kind)
    return changed.clamp_(0, 1)
