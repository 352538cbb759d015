"""What changes values where they are: contrast, brightness, gamma, colour, noise."""

from typing import Literal

import torch


def retone(
    images: torch.Tensor,
    contrast: torch.Tensor,
    brightness: torch.Tensor,
    exponents: torch.Tensor | None = None,
) -> torch.Tensor:
    """Scale images [b, c, h, w] about mid-grey, add, then raise what lies in 0..1 to a power.

    `contrast` and `brightness` are [b], `exponents` [b, c]: above 1 they darken. An exponent
    of a channel of its own multiplies its optical density, -log of the value.
    """
    column = (-1, 1, 1, 1)
    toned = images - 0.5
    toned.mul_(contrast.view(column)).add_(0.5).add_(brightness.view(column))
    if exponents is not None:
        toned.clamp_(0, 1).pow_(exponents[:, :, None, None])
    return toned


def add_noise(
    images: torch.Tensor,
    noise: torch.Tensor,
    deviation: float,
    kind: Literal["gaussian", "rician", "speckle"],
) -> torch.Tensor:
    """Add standard normal `noise` [b, 1 or 2, c, h, w] times `deviation` to images [b, c, h, w].

    Rician noise is that of a complex signal whose magnitude is shown, as in MRI (Gudbjartsson and
    Patz 1995); it takes two parts. Speckle grows with the value.
    """
    first = deviation * noise[:, 0]
    if kind == "rician":
        return torch.hypot(images + first, deviation * noise[:, 1])
    return images + (images * first if kind == "speckle" else first)
