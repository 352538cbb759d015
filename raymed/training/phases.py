"""Phases: which layers learn, and which statistics stand still."""

from collections.abc import Collection, Sequence

import torch
from torch import nn

from raymed.config import Phase, Recipe
from raymed.models import Classifier, layer_groups
from raymed.optim import build_optimizer

_BATCHNORM = (nn.modules.batchnorm._BatchNorm,)


def enter_phase(
    model: Classifier, phase: Phase, *, freeze_batchnorm: bool, epoch: int | None = None
) -> None:
    """Set what a phase trains, and every module's mode.

    A frozen backbone is in eval mode; a hybrid's new layers learn in every phase, only its CNN is
    ever frozen. In a phase of gradual unfreezing `epoch` (from 0) tells how far it is; without one
    everything that it will ever train learns.
    """
    names = [name for name, _ in model.named_parameters()]
    new = model.new_parameters() or [name for name in names if name.startswith("head.")]
    if phase.train == "head":
        names = new
    elif phase.unfreeze and epoch is not None:
        names = [*new, *unfrozen(layer_groups(model), epoch)]
    train_only(model, names, freeze_batchnorm=freeze_batchnorm)


def begin_phase(recipe: Recipe, model: Classifier, phase: Phase) -> torch.optim.Optimizer:
    """Set what a phase trains, and build its fresh optimizer."""
    enter_phase(model, phase, freeze_batchnorm=recipe.freeze_batchnorm)
    names = [name for name, _ in model.named_parameters()]
    groups = layer_groups(model) if phase.discriminative else [names]
    new = model.new_parameters()
    return build_optimizer(model, groups, phase, recipe.optimizer, recipe.sam, new)


def unfrozen(groups: Sequence[Sequence[str]], epoch: int) -> list[str]:
    """Name what learns in epoch `epoch` (from 0) of gradual unfreezing.

    The last group, the head, and one group more in each epoch after it (Howard and Ruder 2018).
    """
    return [name for names in groups[max(0, len(groups) - 1 - epoch) :] for name in names]


def train_only(model: nn.Module, names: Collection[str], *, freeze_batchnorm: bool) -> None:
    """Let the named parameters learn, and no others.

    Modules none of whose parameters learn are in eval mode: their dropout and statistics stand
    still. One without parameters goes with the module it is part of. With `freeze_batchnorm`
    BatchNorm layers keep their statistics everywhere; their scale and shift still learn.
    """
    chosen = set(names)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name in chosen)
    _set_modes(model, whole=True)
    for module in model.modules():
        if freeze_batchnorm and isinstance(module, _BATCHNORM):
            module.eval()


def _set_modes(module: nn.Module, *, whole: bool) -> None:
    parameters = list(module.parameters())
    module.training = any(p.requires_grad for p in parameters) if parameters else whole
    for child in module.children():
        _set_modes(child, whole=module.training)
