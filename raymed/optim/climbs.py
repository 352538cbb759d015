"""Climbs: weights moved to where SAM takes its gradient, and brought back bit for bit.

Works on lists of tensors at once (foreach), never parameter by parameter.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import nn
from torch.nn.utils import get_total_norm

Tensors = list[torch.Tensor]
Groups = Sequence[dict[str, Any]]
"""Parameter groups of an optimizer, each with its `rho`."""

_MOMENTA = ("exp_avg", "momentum_buffer")
_CACHED = 2**18  # elements; three lists of them fit a core's cache


def adaptive_direction(weights: Tensors, gradients: Tensors, eta: float) -> tuple[Tensors, float]:
    """Give T^2 g and |T g| for T = |w| + eta: the way up of ASAM (Kwon et al. 2021, eq. 8)."""
    scale = torch._foreach_abs(weights)
    torch._foreach_add_(scale, eta)
    direction = torch._foreach_mul(gradients, scale)
    norm = float(get_total_norm(direction))
    torch._foreach_mul_(direction, scale)
    return list(direction), norm


class Climb:
    """Where the weights were, while they are elsewhere."""

    def __init__(self) -> None:
        """Hold no copies yet: they are made once and used again."""
        self._copies: dict[nn.Parameter, torch.Tensor] = {}
        self._away: list[nn.Parameter] = []

    def along_gradient(self, groups: Groups, eta: float | None) -> float:
        """Move to w + rho g / |g|, adaptively with `eta`; returns |g|, or |T g|.

        One norm over all groups. Nothing moves when it is zero or not finite.
        """
        rhos, weights = _listed(groups, lambda parameter: parameter.grad is not None)
        gradients = [p.grad for p in weights if p.grad is not None]
        if not gradients:
            return 0.0
        if eta is None:
            direction, norm = gradients, float(get_total_norm(gradients))
        else:
            direction, norm = adaptive_direction(list(weights), gradients, eta)
        self._move(rhos, weights, direction, norm)
        return norm

    def along_momentum(self, groups: Groups, state: dict[Any, dict[str, Any]]) -> float:
        """Move to w - rho m / |m| for the momentum m (Becker et al. 2024); returns |m|.

        Steps go along -m, so this looks ahead, as Nesterov does, by a fixed length.
        """
        rhos, weights = _listed(groups, lambda parameter: _momentum(state, parameter) is not None)
        momenta = [m for p in weights if (m := _momentum(state, p)) is not None]
        if not momenta:
            return 0.0
        norm = float(get_total_norm(momenta))
        self._move([-rho for rho in rhos], weights, momenta, norm)
        return norm

    def back(self) -> None:
        """Bring the weights back, bit for bit; nothing to do when they are there."""
        if self._away:
            copies = [self._copies[parameter] for parameter in self._away]
            torch._foreach_copy_(list[torch.Tensor](self._away), copies)
            self._away = []

    @property
    def away(self) -> bool:
        """Whether the weights are elsewhere."""
        return bool(self._away)

    def _move(
        self, rhos: list[float], weights: list[nn.Parameter], direction: Tensors, norm: float
    ) -> None:
        if norm == 0 or not math.isfinite(norm):
            return
        copies = [self._copy_of(parameter) for parameter in weights]
        self._away = weights
        for start, end in _runs(rhos, weights):
            torch._foreach_copy_(copies[start:end], list[torch.Tensor](weights[start:end]))
            torch._foreach_add_(
                list[torch.Tensor](weights[start:end]),
                direction[start:end],
                alpha=rhos[start] / norm,
            )

    def _copy_of(self, parameter: nn.Parameter) -> torch.Tensor:
        copy = self._copies.get(parameter)
        if copy is None or copy.shape != parameter.shape:
            copy = self._copies[parameter] = torch.empty_like(parameter)
        return copy


def _runs(rhos: list[float], weights: list[nn.Parameter]) -> Iterator[tuple[int, int]]:
    """Cut into runs of one rho, on a CPU so short that what is copied is still in its cache."""
    start = size = 0
    for index, (rho, weight) in enumerate(zip(rhos, weights, strict=True)):
        full = size > _CACHED and weight.device.type == "cpu"
        if index and (rho != rhos[start] or full):
            yield start, index
            start, size = index, 0
        size += weight.numel()
    yield start, len(weights)


def _listed(groups: Groups, wanted: Any) -> tuple[list[float], list[nn.Parameter]]:
    pairs = [(g["rho"], p) for g in groups for p in g["params"] if wanted(p)]
    return [rho for rho, _ in pairs], [parameter for _, parameter in pairs]


def _momentum(state: dict[Any, dict[str, Any]], parameter: nn.Parameter) -> torch.Tensor | None:
    own = state.get(parameter, {})
    return next((own[name] for name in _MOMENTA if own.get(name) is not None), None)
