"""Weights that are moved to be measured, and come back bit for bit."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import nn

from raymed.errors import InputError


@dataclass(frozen=True)
class HeldWeights:
    """The parameters that are measured, and copies of their values.

    Vectors of all weights are flat: float [n], the parameters one after the other.
    """

    parameters: tuple[nn.Parameter, ...]
    copies: tuple[torch.Tensor, ...]

    @property
    def vector(self) -> torch.Tensor:
        """The held values, [n]."""
        return flat(self.copies)

    @property
    def device(self) -> torch.device:
        """Where the weights lie."""
        return self.copies[0].device

    def pieces(self, vector: torch.Tensor) -> list[torch.Tensor]:
        """Cut a vector [n] into tensors of the parameters' shapes."""
        parts = torch.split(vector, [copy.numel() for copy in self.copies])
        return [part.view(copy.shape) for part, copy in zip(parts, self.copies, strict=True)]

    def move(self, offset: torch.Tensor) -> None:
        """Set the weights to the held values plus an offset [n]."""
        with torch.no_grad():
            for parameter, copy, part in zip(
                self.parameters, self.copies, self.pieces(offset), strict=True
            ):
                parameter.copy_(copy + part)

    def restore(self) -> None:
        """Set the weights to the held values, bit for bit."""
        with torch.no_grad():
            for parameter, copy in zip(self.parameters, self.copies, strict=True):
                parameter.copy_(copy)


@contextmanager
def held_weights(model: nn.Module) -> Iterator[HeldWeights]:
    """Hold a model's weights while they are moved; all modules are in eval mode meanwhile.

    Measured are the parameters that require a gradient: freeze what should stand still. On the
    way out, also after an exception, weights are copied back and every module has its mode again.
    Raises `InputError` where no parameter requires a gradient.
    """
    parameters = tuple(parameter for parameter in model.parameters() if parameter.requires_grad)
    if not parameters:
        raise InputError("model", "no parameter requires a gradient", "unfreeze what to measure")
    held = HeldWeights(parameters, tuple(each.detach().clone() for each in parameters))
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield held
    finally:
        held.restore()
        for module, training in modes:
            module.training = training


def flat(tensors: Sequence[torch.Tensor]) -> torch.Tensor:
    """Lay tensors out as one vector [n], in the order of the parameters."""
    return torch.cat([tensor.reshape(-1) for tensor in tensors])
