"""Where in an image a classifier finds what speaks for a class."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from raymed.errors import InputError
from raymed.models.classifier import Classifier
from raymed.models.feature_maps import at_rest


class NoMapError(InputError):
    """A model whose last features have no places, so that nothing can be shown."""


def saliency_maps(
    model: Classifier, images: torch.Tensor, classes: torch.Tensor
) -> npt.NDArray[np.float32]:
    """Show what in images float [n, 1 or 3, h, w] in 0..1 speaks for `classes` int64 [n].

    Returns float32 [n, h', w'] in 0..1 on the grid of the features, each map over its own largest
    value; all zeros where nothing speaks for the class. It is gradient times activation of the last
    features that have places, summed over channels, what speaks against the class left out:
    HiResCAM (Draelos and Carin 2020, arXiv 2011.08891). Where a mean follows, as in most CNNs and
    in hybrids, that is Grad-CAM (Selvaraju et al. 2017, arXiv 1610.02391); elsewhere Grad-CAM would
    spread a gradient to places that the model takes nothing from. A Transformer that reads its
    class token is asked before its last attention, as after it the other tokens count no more. The
    model stays as it was. Raises `NoMapError` where the features have no places.
    """
    from captum.attr import LayerGradientXActivation  # brings matplotlib: only those who draw wait

    opened = _Opened(model)
    with at_rest(model):
        attribution = LayerGradientXActivation(opened, opened.last_with_places())
        found = attribution.attribute(images.detach().requires_grad_(), target=classes)
    places = _by_place(found, model.backbone).clamp(min=0)
    largest = places.amax((1, 2), keepdim=True)
    maps = places / largest.where(largest > 0, 1)
    return maps.detach().cpu().numpy().astype(np.float32)


class _Opened(nn.Module):
    """A classifier whose last features pass a layer that can be watched."""

    def __init__(self, model: Classifier) -> None:
        super().__init__()
        self.model, self.features = model, nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        backbone: Any = self.model.backbone  # speaks as timm's models do
        found = backbone.forward_features(self.model.normalised(images))
        if not isinstance(found, torch.Tensor):
            raise _without_places(backbone, "several features")
        return self.model.classify(backbone.forward_head(self.features(found)))

    def last_with_places(self) -> nn.Module:
        """Give the layer whose output is the last that all places have a say in."""
        backbone = self.model.backbone
        if getattr(backbone, "global_pool", None) != "token":
            return self.features
        blocks = getattr(backbone, "blocks", None)
        norm = getattr(blocks[-1], "norm1", None) if blocks is not None else None
        if not isinstance(norm, nn.Module):
            raise _without_places(backbone, "a class token alone")
        return norm


def _by_place(found: torch.Tensor, backbone: nn.Module) -> torch.Tensor:
    """Sum [n, channels, h, w], [n, h, w, channels] or tokens [n, t, channels] over channels."""
    if found.ndim == 4:
        return found.sum(3 if getattr(backbone, "output_fmt", "NCHW") == "NHWC" else 1)
    if found.ndim == 3:
        tokens = found.sum(2)
        for prefix in (getattr(backbone, "num_prefix_tokens", 0), 0):
            side = math.isqrt(tokens.shape[1] - prefix)  # images are square
            if side * side == tokens.shape[1] - prefix:
                return tokens[:, prefix:].reshape(-1, side, side)
    raise _without_places(backbone, f"features of shape {tuple(found.shape)}")


def _without_places(backbone: nn.Module, gives: str) -> NoMapError:
    return NoMapError("model", f"{type(backbone).__name__} gives {gives}: there is no map to show")
