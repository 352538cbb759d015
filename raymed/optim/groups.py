"""The optimizer of a phase: layer groups with discriminative learning rates, and SAM around it."""

from collections.abc import Collection, Sequence
from typing import Any

import torch
from torch import nn

from raymed.config import Optimizer, Phase, Sam
from raymed.optim.sam import SAM


def build_optimizer(
    model: nn.Module,
    groups: Sequence[Sequence[str]],
    phase: Phase,
    recipe: Optimizer,
    sam: Sam | None = None,
    new: Collection[str] = (),
) -> torch.optim.Optimizer:
    """Build the fresh optimizer of a phase over the parameters that the phase trains.

    Layer groups learn at their own rates (`discriminative_rates`), the last one, the head, at
    `lr`. Where `new` names parameters, those learn at `lr`, and the other groups count down from
    lr / new_layers instead. Vectors (biases, norms) get no weight decay. Every parameter group
    holds its own rate in `base_lr`.
    """
    parameters = dict(model.named_parameters())
    settings: list[dict[str, Any]] = []
    for names, lr in _rates(groups, phase, new):
        trained = [parameters[name] for name in names if parameters[name].requires_grad]
        for decayed in (True, False):
            members = [value for value in trained if (value.ndim > 1) == decayed]
            if members:
                decay = recipe.weight_decay if decayed else 0.0
                settings.append({"params": members, "lr": lr, "base_lr": lr, "weight_decay": decay})
    base: torch.optim.Optimizer = (
        torch.optim.SGD(settings, lr=phase.lr, momentum=recipe.momentum, fused=True)
        if recipe.name == "sgd"
        else torch.optim.AdamW(settings, lr=phase.lr, fused=True)
    )
    return base if sam is None else around(base, sam)


def around(base: torch.optim.Optimizer, sam: Sam) -> SAM:
    """Put the recipe's SAM around its optimizer."""
    return SAM(
        [parameter for group in base.param_groups for parameter in group["params"]],
        base,
        rho=sam.rho,
        adaptive=sam.variant == "asam",
        look_every=sam.every,
        look_alpha=sam.alpha,
        climb="momentum" if sam.variant == "msam" else "gradient",
        synchronised=sam.synchronised,
    )


def discriminative_rates(
    count: int, lr: float, *, ratio: float = 1.0, factor: float | None = None
) -> list[float]:
    """Give each of `count` layer groups its learning rate, the stem's first, the head's `lr` last.

    Group i of L learns at lr * factor^(L-1-i) (Howard and Ruder 2018, arXiv 1801.06146). A factor
    means very different things by depth; `ratio`, the stem's rate over the head's, does not: with
    it factor = ratio^(1/(L-1)).
    """
    if factor is not None:
        return [lr / (1 / factor) ** (count - 1 - index) for index in range(count)]
    if count == 1:
        return [lr]
    return [float(lr * ratio ** ((count - 1 - index) / (count - 1))) for index in range(count)]


def _rates(
    groups: Sequence[Sequence[str]], phase: Phase, new: Collection[str]
) -> list[tuple[Sequence[str], float]]:
    """Pair every group with its rate; the new parameters become the last group."""
    top, added = phase.lr, set(new)
    if added:
        top /= phase.new_layers
        old = [[name for name in names if name not in added] for names in groups]
        groups = [names for names in old if names]
    rates = discriminative_rates(len(groups), top, ratio=phase.ratio, factor=phase.factor)
    pairs = list(zip(groups, rates, strict=True))
    return [*pairs, (list(new), phase.lr)] if added else pairs
