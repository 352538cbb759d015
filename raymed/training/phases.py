"""Phases: which layers learn, and which statistics stand still."""

from torch import nn

from raymed.config import Phase
from raymed.models import Classifier

_BATCHNORM = (nn.modules.batchnorm._BatchNorm,)


def enter_phase(model: Classifier, phase: Phase, *, freeze_batchnorm: bool) -> None:
    """Set what a phase trains, and every module's mode.

    A frozen backbone is in eval mode; a hybrid's new layers learn in every phase, only its CNN is
    ever frozen. With `freeze_batchnorm` BatchNorm layers keep their pretrained statistics in
    every phase (their scale and shift still learn).
    """
    whole = phase.train == "all"
    model.train()
    model.requires_grad_(True)
    model.trunk.train(whole)
    model.trunk.requires_grad_(whole)
    if freeze_batchnorm:
        for module in model.trunk.modules():
            if isinstance(module, _BATCHNORM):
                module.eval()
