"""The curvature of the loss: the Hessian's largest eigenvalue and its trace."""

from dataclasses import dataclass

import torch
from torch import nn

from raymed.optim.sharpness.derivatives import Losses, hessian_product
from raymed.optim.sharpness.draws import (
    DrawnMean,
    draw_normal,
    draw_signs,
    refuse_too_few,
    seeded,
)
from raymed.optim.sharpness.weights import held_weights

Imaged = tuple[torch.Tensor, torch.Tensor]
"""A vector [n] and the Hessian times it."""


@dataclass(frozen=True)
class Eigenvalue:
    """An eigenvalue, estimated from below.

    Some eigenvalue of the Hessian lies within `residual` = |Hx - value x| of it.
    """

    value: float
    residual: float
    iterations: int


def top_eigenvalue(
    model: nn.Module,
    loss: Losses,
    *,
    tolerance: float = 1e-2,
    iterations: int = 30,
    seed: int = 0,
) -> Eigenvalue:
    """Return the largest (not the largest in size) eigenvalue of the loss's Hessian.

    Ends when the residual is at most `tolerance` of the value, or after `iterations` products
    with the Hessian; the value grows with each. Locally optimal conjugate gradient (Knyazev
    2001, doi 10.1137/S1064827500366124): as power iteration it keeps few vectors, and it neither
    mistakes a large negative eigenvalue for the top one nor waits for a gap.
    """
    with held_weights(model) as held:
        start = draw_normal(held, seeded(seed))
        start = start / start.norm()
        best: Imaged = start, hessian_product(loss, held, start)
        momentum: Imaged | None = None
        for done in range(iterations + 1):
            value = float(best[0] @ best[1])
            rest = best[1] - value * best[0]
            residual = float(rest.norm())
            if residual <= tolerance * abs(value) or done == iterations:
                break
            new = _unit(_without((rest, rest), best))
            assert new is not None  # its length is the residual
            basis = [best, (new[0], hessian_product(loss, held, new[0]))]
            if momentum is not None:
                momentum = _unit(_without(_without(momentum, basis[0]), basis[1]))
            basis += [momentum] if momentum is not None else []
            best, momentum = _best_in(basis)
    return Eigenvalue(value, residual, done)


def hessian_trace(model: nn.Module, loss: Losses, *, probes: int = 10, seed: int = 0) -> DrawnMean:
    """Estimate the trace of the loss's Hessian, the sum of its eigenvalues (Hutchinson 1989).

    The mean of v' H v over `probes` random sign vectors v; exact where H is diagonal. Raises
    `InputError` for fewer than two probes.
    """
    refuse_too_few("probes", probes)
    generator = seeded(seed)
    with held_weights(model) as held:
        vectors = (draw_signs(held, generator) for _ in range(probes))
        return DrawnMean.of([float(v @ hessian_product(loss, held, v)) for v in vectors])


def _best_in(basis: list[Imaged]) -> tuple[Imaged, Imaged]:
    """Maximise x'Hx over unit x in the span of an orthonormal basis (Rayleigh and Ritz).

    Returns the best vector and the part of it that does not lie along the first of the basis.
    """
    products = [[float(one[0] @ two[1]) for two in basis] for one in basis]
    small = torch.tensor(products, dtype=torch.float64)
    shares = torch.linalg.eigh((small + small.T) / 2).eigenvectors[:, -1].tolist()
    moved = _combined(basis[1:], shares[1:])
    first = _combined(basis[:1], shares[:1])
    best = _unit((first[0] + moved[0], first[1] + moved[1]))
    assert best is not None  # its length is 1 but for rounding
    return best, moved


def _combined(basis: list[Imaged], shares: list[float]) -> Imaged:
    sides = [
        torch.stack([share * each[side] for share, each in zip(shares, basis, strict=True)])
        for side in (0, 1)
    ]
    return sides[0].sum(0), sides[1].sum(0)


def _without(vector: Imaged, unit: Imaged) -> Imaged:
    """Take away what lies along a unit vector."""
    share = vector[0] @ unit[0]
    return vector[0] - share * unit[0], vector[1] - share * unit[1]


def _unit(vector: Imaged) -> Imaged | None:
    """Bring a vector to length 1; None when it has none."""
    length = float(vector[0].norm())
    return (vector[0] / length, vector[1] / length) if length > 0 else None
