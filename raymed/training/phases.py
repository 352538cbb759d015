"""Phases: which layers learn, and which statistics stand still."""

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
