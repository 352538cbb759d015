"""Blur as of something that moved: the mean along a short line."""

import math

import torch
from torch.nn import functional


def smear(images: torch.Tensor, line: torch.Tensor, most: float) -> torch.Tensor:
    """Average images [b, c, h, w] along a line of each sample's own length and angle.

    `line` is [b, 2]: its length as a share of the longer side, at most `most`, and its angle in
    radians. Beyond the edge the edge's own values count.
    """
    side = max(images.shape[2:])
    radius = max(1, math.ceil(most * side / 2))
    kernels = line_kernels(line[:, 0] * side, line[:, 1], radius)
    count, channels = images.shape[:2]
    padded = functional.pad(images, (radius,) * 4, mode="replicate")
    weights = kernels.repeat_interleave(channels, dim=0).unsqueeze(1)
    smeared = functional.conv2d(padded.flatten(0, 1).unsqueeze(0), weights, groups=len(weights))
    return smeared.view(count, channels, *images.shape[2:])


def line_kernels(length: torch.Tensor, angle: torch.Tensor, radius: int) -> torch.Tensor:
    """Draw lines through the middle of kernels [b, k, k], k = 2 * radius + 1; each sums to 1.

    `length` [b] is in pixels, up to 2 * radius. Points along the line give their weight to the
    four pixels around them.
    """
    side = 2 * radius + 1
    along = torch.linspace(-0.5, 0.5, 2 * side, device=length.device) * length[:, None]
    pixels = torch.arange(-radius, radius + 1, device=length.device)

    def shares(turn: torch.Tensor) -> torch.Tensor:  # [b, points, k]
        apart = (along * turn[:, None])[:, :, None] - pixels
        return (1 - apart.abs()).clamp_min(0)

    across, down = shares(torch.cos(angle)), shares(torch.sin(angle))
    return torch.einsum("bty,btx->byx", down, across) / (2 * side)
