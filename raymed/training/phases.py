"""Phases: which layers learn, and which statistics stand still."""

from collections.abc import Sequence

from torch import nn

from raymed.config import Phase
from raymed.models import Classifier

_BATCHNORM = (nn.modules.batchnorm._BatchNorm,)


def enter_phase(model: Classifier, phase: Phase, *, freeze_batchnorm: bool) -> None:
    """Set what a phase trains, and every module's mode.

    A frozen backbone is in eval mode. With `freeze_batchnorm` its BatchNorm layers keep their
    pretrained statistics in every phase (their scale and shift still learn).
    """
    whole = phase.train == "all"
    model.train()
    model.backbone.train(whole)
    model.backbone.requires_grad_(whole)
    model.head.requires_grad_(True)
    if freeze_batchnorm:
        for module in model.backbone.modules():
            if isinstance(module, _BATCHNORM):
                module.eval()


def thaw(model: Classifier, groups: Sequence[Sequence[str]], epoch: int) -> None:
    """Let the last `epoch` + 1 layer groups learn, and no others (gradual unfreezing).

    The head alone in epoch 0, one group more in each epoch after it (Howard and Ruder 2018).
    Layers that stand still are in eval mode: their statistics do too.
    """
    frozen = {name for names in groups[: max(0, len(groups) - 1 - epoch)] for name in names}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(name not in frozen)
    for module in model.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(parameter.requires_grad for parameter in own):
            module.eval()
