"""Where hidden layers can be mixed: the modules that everything passes through, in any backbone."""

from collections.abc import Sequence
from posixpath import commonpath

import torch
from torch import nn

from raymed.models.classifier import Classifier
from raymed.models.feature_maps import at_rest
from raymed.models.layer_groups import layer_groups

MOST = 8
"""So many layer groups are tried, evenly spread: that many forward passes of two images."""


def mixing_points(model: Classifier, size: int, most: int = MOST) -> list[str]:
    """Name modules, from the stem on, whose output holds all that the model knows of its images.

    One ends each of some layer groups; mixing its output over the batch is mixing the hidden state
    (Verma et al. 2019, arXiv 1806.05236). Whether a module is one is tried: where exchanging its
    output between two images exchanges their features, nothing passes it by. Branches, such as a
    layer beside a skip connection, fail. The model stays as it was.
    """
    groups = layer_groups(model)[:-1]  # the last one is the head
    places = {round(i * (len(groups) - 1) / max(1, most - 1)) for i in range(most)}
    device = next(model.parameters()).device
    images = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(0)).to(device)
    found: list[str] = []
    with at_rest(model), torch.no_grad():
        plain = model.features(images)
        for place in sorted(places):
            modules = _modules_of(groups[place])
            point = next((each for each in modules if _cuts(model, each, images, plain)), None)
            if point is not None and point not in found:
                found.append(point)
    return found


def _modules_of(group: Sequence[str]) -> list[str]:
    """Name the modules that hold all of a group's parameters, the smallest first."""
    common = commonpath([name.replace(".", "/") for name in group])
    parts = common.split("/") if len(group) > 1 else common.split("/")[:-1]
    return [".".join(parts[:length]) for length in range(len(parts), 0, -1)]


def _cuts(model: Classifier, name: str, images: torch.Tensor, plain: torch.Tensor) -> bool:
    """Tell whether the two images' features change places with the output of this module."""
    calls = 0

    def exchange(module: nn.Module, inputs: object, output: object) -> object:
        nonlocal calls
        calls += 1
        fits = isinstance(output, torch.Tensor) and output.ndim > 1 and len(output) == len(images)
        return output.flip(0) if fits and isinstance(output, torch.Tensor) else output

    hook = model.get_submodule(name).register_forward_hook(exchange)
    try:
        found = model.features(images)
    finally:
        hook.remove()
    apart = (plain[0] - plain[1]).abs().max()
    return calls == 1 and bool((found - plain.flip(0)).abs().max() <= 1e-3 * apart)
