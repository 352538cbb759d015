"""Smooth random fields: the bias field of MRI and ultrasound, and smooth deformations."""

from functools import cache

import torch

_DEGREE = 3
"""Of the bias field's polynomial; 3 as in TorchIO, after Van Leemput et al. 1999."""
_FREQUENCY = 4
"""Half waves a side of a deformation's fastest term."""


def _terms(most: int, total: int) -> list[tuple[int, int]]:
    """List the pairs of degrees, down and across, but for the constant."""
    pairs = [(down, across) for down in range(most + 1) for across in range(most + 1)]
    return [pair for pair in pairs if 0 < sum(pair) <= total]


_BIAS, _WAVES = _terms(_DEGREE, _DEGREE), _terms(_FREQUENCY, _FREQUENCY)
BIAS_TERMS, WAVES = len(_BIAS), len(_WAVES)


def bias_fields(drawn: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Make fields [b, 1, h, w] of mean 1 from `drawn` [b, 1 + BIAS_TERMS].

    A field is 1 + amplitude * p / max|p|, p being a sum of products of Legendre polynomials with
    the weights drawn.
    """
    down, across = _legendre(height).to(drawn), _legendre(width).to(drawn)
    return 1 + _unit_fields(drawn, _BIAS, down, across).unsqueeze(1)


def deformations(drawn: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """Make displacements [b, h, w, 2] (across, down; the side is 2) from `drawn` [b, 2, 1 + WAVES].

    Each is a sum of products of cosines, at most its amplitude (a share of the side) large. By
    Bernstein's inequality it is nowhere steeper than 4 pi times that: .38 at the most that a
    recipe may ask for, so that no place folds over.
    """
    down, across = _cosines(height).to(drawn), _cosines(width).to(drawn)
    fields = _unit_fields(drawn.flatten(0, 1), _WAVES, down, across)
    return 2 * fields.view(-1, 2, height, width).permute(0, 2, 3, 1)


def _unit_fields(
    drawn: torch.Tensor, terms: list[tuple[int, int]], down: torch.Tensor, across: torch.Tensor
) -> torch.Tensor:
    """Sum the products of two bases [degrees, side]; scale each to its amplitude, drawn first."""
    weights = drawn.new_zeros(len(drawn), len(down), len(across))
    rows, columns = zip(*terms, strict=True)
    weights[:, rows, columns] = drawn[:, 1:]
    fields = down.T @ weights @ across
    largest = fields.abs().amax(dim=(1, 2)).clamp_min(1e-6)
    return fields * (drawn[:, 0] / largest)[:, None, None]


@cache
def _legendre(side: int) -> torch.Tensor:
    """Give the polynomials of degree 0 to 3 at the pixels' centres; but for the first of mean 0."""
    at = _centres(side)
    basis = torch.stack([torch.ones_like(at), at, 1.5 * at**2 - 0.5, 2.5 * at**3 - 1.5 * at])
    basis[1:] -= basis[1:].mean(dim=1, keepdim=True)
    return basis.float()


@cache
def _cosines(side: int) -> torch.Tensor:
    at = (_centres(side) + 1) / 2
    return torch.cos(torch.pi * torch.arange(_FREQUENCY + 1)[:, None] * at).float()


def _centres(side: int) -> torch.Tensor:
    return (2 * torch.arange(side, dtype=torch.float64) + 1) / side - 1
