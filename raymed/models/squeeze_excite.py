"""Squeeze-and-excitation blocks after stages of a backbone that has none (Hu et al. 2018)."""

from collections.abc import Sequence

import torch
from timm.layers import SEModule
from torch import nn

from raymed.errors import InputError, some

_KNOWN = ("SEModule", "SqueezeExcite", "SqueezeExciteCl", "EffectiveSEModule", "EcaModule")
"""Timm's modules that weigh channels already."""


class TwiceSigmoid(nn.Module):
    """2 * sigmoid(x): 1 where x is 0, so that a block that has learned nothing changes nothing."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Map any values to 0..2."""
        return 2 * torch.sigmoid(values)


def insert_squeeze_excite(
    backbone: nn.Module, stages: Sequence[int] | None = None, reduction: int = 16
) -> None:
    """Append timm's `SEModule` to stages of a timm CNN, counted from 1; None: to all of them.

    The blocks start as the identity: their last convolution is zero. Their parameters stand with
    the last blocks of their stages, whose learning rate they share. Raises `InputError` for a
    backbone that weighs channels already, one whose stages are no sequences of maps, and a stage
    that is not there.
    """
    kind = type(backbone).__name__
    if any(type(module).__name__ in _KNOWN for module in backbone.modules()):
        raise InputError(
            "squeeze_excite", f"{kind} has such blocks already", "set squeeze_excite: none"
        )
    found = _stages(backbone)
    if not found:
        raise InputError(
            "squeeze_excite",
            f"{kind} has no stages of feature maps to put blocks after",
            "set squeeze_excite: none, or choose a CNN",
        )
    for stage in stages or range(1, len(found) + 1):
        if stage > len(found):
            raise InputError(
                "squeeze_excite.stages",
                f"{kind} has {len(found)} stages, not {stage}",
                f"count from 1: {some(range(1, len(found) + 1))}",
            )
        blocks, channels = found[stage - 1]
        blocks.append(_identity_block(channels, reduction))


def _identity_block(channels: int, reduction: int) -> SEModule:
    block = SEModule(channels, rd_ratio=1 / reduction, rd_divisor=1, gate_layer=TwiceSigmoid)
    nn.init.zeros_(block.fc2.weight)
    nn.init.zeros_(block.fc2.bias)
    return block


def _stages(backbone: nn.Module) -> list[tuple[nn.Sequential, int]]:
    """Find, by timm's list of a backbone's maps, the sequences that give them, and channels."""
    if getattr(backbone, "output_fmt", "NCHW") != "NCHW":
        return []
    modules, found = dict(backbone.named_modules()), []
    for each in getattr(backbone, "feature_info", None) or ():
        stage = modules.get(each["module"])
        blocks = stage if type(stage) is nn.Sequential else _last_child(stage, "blocks")
        if type(blocks) is nn.Sequential:
            found.append((blocks, int(each["num_chs"])))
    return found


def _last_child(module: nn.Module | None, name: str) -> nn.Module | None:
    """Give the child of this name where it is the last one: its output is the stage's."""
    children = list(module.named_children()) if module is not None else []
    return children[-1][1] if children and children[-1][0] == name else None
