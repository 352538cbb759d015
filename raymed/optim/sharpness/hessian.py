"""The curvature of the loss: the Hessian's largest eigenvalue and its trace."""

import math
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
from raymed.optim.sharpness.weights import HeldWeights, held_weights


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

    Ends when the residual is at most `tolerance` of the value, or after `iterations`; the value
    grows with each. Takes a Hessian-vector product an iteration, and two more. Locally optimal
    conjugate gradient (Knyazev 2001, doi 10.1137/S1064827500366124): as power iteration it keeps
    few vectors, and it does not mistake a large negative eigenvalue for the top one.
    """
    with held_weights(model) as held:
        start = draw_normal(held, seeded(seed))
        best = _imaged(start / start.norm(), loss, held)
        move: torch.Tensor | None = None
        done = 0
        while done < iterations and _residual(best) > tolerance * abs(_value(best)):
            rest = _orthonormal((best[1] - _value(best) * best[0])[None], [best[:1]])
            if rest is None:  # what is left is rounding
                break
            basis, done = [best, _imaged(rest[0], loss, held)], done + 1
            move = _orthonormal(move, basis) if move is not None else None
            best, move = _best_in(basis if move is None else [*basis, move])
        best = _imaged(best[0], loss, held)  # until here its image was put together from others
        return Eigenvalue(_value(best), _residual(best), done)


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


def _imaged(vector: torch.Tensor, loss: Losses, held: HeldWeights) -> torch.Tensor:
    """Pair a vector with the Hessian times it, [2, n]: a sum of pairs is a pair."""
    return torch.stack([vector, hessian_product(loss, held, vector)])


def _value(pair: torch.Tensor) -> float:
    return float(pair[0] @ pair[1])


def _residual(pair: torch.Tensor) -> float:
    return float((pair[1] - _value(pair) * pair[0]).norm())


def _best_in(basis: list[torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
    """Maximise x'Hx over unit x in the span of orthonormal pairs (Rayleigh and Ritz).

    Returns the best pair and the part of it that does not lie along the first of the basis.
    """
    products = [[float(one[0] @ two[1]) for two in basis] for one in basis]
    small = torch.tensor(products, dtype=torch.float64)
    shares = torch.linalg.eigh((small + small.T) / 2).eigenvectors[:, -1].tolist()
    move = torch.zeros_like(basis[0])
    for share, pair in zip(shares[1:], basis[1:], strict=True):
        move = move + share * pair
    best = shares[0] * basis[0] + move
    return best / best[0].norm(), move


def _orthonormal(pair: torch.Tensor, basis: list[torch.Tensor]) -> torch.Tensor | None:
    """Bring a pair, or a vector [1, n] alone, to length 1 and at right angles to a basis.

    None where it lies within the basis but for rounding, which normalising would blow up.
    """
    for _ in range(2):  # the first pass leaves rounding of the size of what it took away
        length = float(pair[0].norm())
        if not length > 0:
            return None
        pair = pair / length
        for unit in basis:
            pair = pair - (pair[0] @ unit[0]) * unit
        if float(pair[0].norm()) < math.sqrt(torch.finfo(pair.dtype).eps):
            return None
    unit_pair: torch.Tensor = pair / pair[0].norm()
    return unit_pair
