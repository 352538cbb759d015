"""The feature map of a CNN of any family: channels first, and no layer that comes after it."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from raymed.errors import InputError
from raymed.models.weights import first_line


def feature_map(cnn: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Map images [b, 3, h, w] to the CNN's last feature map [b, channels, h', w'].

    A timm model gives it by `forward_features` (channels last where its `output_fmt` says so),
    any other module by its forward; of several maps the last one counts.
    """
    found = getattr(cnn, "forward_features", cnn)(images)
    if isinstance(found, list | tuple):
        found = found[-1]
    if getattr(cnn, "output_fmt", "NCHW") == "NHWC":
        found = found.permute(0, 3, 1, 2)
    return torch.as_tensor(found)


def map_channels(cnn: nn.Module) -> int:
    """Return how many channels a CNN's feature map has, found by running it on one black image.

    A timm model loses its top-level layers that the map does not pass through (a classifier, a
    convolution after the pooling), which would never learn. Raises `InputError` where there is
    no map: tokens without a grid, or a pooled vector.
    """
    with at_rest(cnn), torch.enable_grad():
        cnn.requires_grad_(True)
        found = _try_sizes(cnn)
        if found.ndim != 4:
            raise InputError(
                "cnn_backbone",
                f"{type(cnn).__name__} gives features of shape {tuple(found.shape)}, not a map",
                "give a CNN, or a module that ends before its pooling",
            )
        if hasattr(cnn, "forward_features"):
            _drop_what_follows(cnn, found)
    return int(found.shape[1])


@contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Hold a model in eval mode; then every module's mode and parameter's flag is as before."""
    modes = {module: module.training for module in model.modules()}
    flags = {parameter: parameter.requires_grad for parameter in model.parameters()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
        for parameter, wanted in flags.items():
            parameter.requires_grad_(wanted)


def _try_sizes(cnn: nn.Module) -> torch.Tensor:
    """Run the first size that the model takes: one that it was built for, or a usual one."""
    like = next(cnn.parameters(), torch.zeros(1))
    built_for = getattr(getattr(cnn, "patch_embed", None), "img_size", None)
    trained_at = (getattr(cnn, "pretrained_cfg", None) or {}).get("input_size", (3, 224, 224))
    reason = ""
    for height, width in (built_for or (64, 64), (64, 64), tuple(trained_at[1:])):
        try:
            return feature_map(cnn, like.new_zeros(1, 3, height, width))
        except (RuntimeError, AssertionError, ValueError, TypeError) as error:
            reason = first_line(error)
    raise InputError(
        "cnn_backbone",
        f"{type(cnn).__name__} cannot map a black image of three channels ({reason})",
        "give a CNN, or a module that ends before its pooling",
    )


def _drop_what_follows(cnn: nn.Module, found: torch.Tensor) -> None:
    parameters = list(cnn.parameters())
    gradients = torch.autograd.grad(found.sum(), parameters, allow_unused=True)
    used = {p for p, own in zip(parameters, gradients, strict=True) if own is not None}
    for name, child in cnn.named_children():
        own = set(child.parameters())
        if own and not own & used:
            setattr(cnn, name, nn.Identity())
