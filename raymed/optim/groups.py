"""AdamW or SGD over layer groups with discriminative learning rates."""

from collections.abc import Collection, Sequence

import torch
from torch import nn

from raymed.config import Optimizer, Phase


def build_optimizer(
    model: nn.Module,
    groups: Sequence[Sequence[str]],
    phase: Phase,
    recipe: Optimizer,
    new: Collection[str] = (),
) -> torch.optim.Optimizer:
    """Build the fresh optimizer of a phase over the parameters that the phase trains.

    Group i of L learns at lr * ratio^((L-1-i)/(L-1)): the head at `lr`, the stem at `lr * ratio`
    (discriminative rates, Howard and Ruder 2018, arXiv 1801.06146). Where `new` names parameters,
    those learn at `lr`, and the other groups count down from lr / new_layers instead. Vectors
    (biases, norms) get no weight decay. Every parameter group holds its own rate in `base_lr`.
    """
    parameters = dict(model.named_parameters())
    settings = []
    for names, lr in _rates(groups, phase, new):
        trained = [parameters[name] for name in names if parameters[name].requires_grad]
        for decayed in (True, False):
            members = [value for value in trained if (value.ndim > 1) == decayed]
            if members:
                decay = recipe.weight_decay if decayed else 0.0
                settings.append({"params": members, "lr": lr, "base_lr": lr, "weight_decay": decay})
    if recipe.name == "sgd":
        return torch.optim.SGD(settings, lr=phase.lr, momentum=recipe.momentum)
    return torch.optim.AdamW(settings, lr=phase.lr)


def _rates(
    groups: Sequence[Sequence[str]], phase: Phase, new: Collection[str]
) -> list[tuple[Sequence[str], float]]:
    """Pair every group with its rate; the new parameters become the last group."""
    top, added = phase.lr, set(new)
    if added:
        top /= phase.new_layers
        old = [[name for name in names if name not in added] for names in groups]
        groups = [names for names in old if names]
    rates = [
        (names, top * _depth_factor(index, len(groups), phase.ratio))
        for index, names in enumerate(groups)
    ]
    return [*rates, (list(new), phase.lr)] if added else rates


def _depth_factor(index: int, count: int, ratio: float) -> float:
    return 1.0 if count == 1 else float(ratio ** ((count - 1 - index) / (count - 1)))
