"""A timm model with a classifier of its own, as users build it: no normalisation inside."""

from pathlib import Path

import timm
from torch import nn

from raymed.config import HYBRID
from raymed.errors import InputError
from raymed.models.hybrid import MedicalViTAdapter
from raymed.models.names import check_model_name
from raymed.models.weights import hub_backbone, load_weights


def build_timm_classifier(
    name: str, classes: int, pretrained: bool | str | Path = False
) -> nn.Module:
    """Build a timm model, or `hybrid/NAME`, with a classifier over `classes` that starts at zero.

    It takes images as timm does, float [b, 3, h, w] normalised by you, and its first loss is
    ln(classes). `pretrained` is True for timm's hub weights, or a weights file. Raises
    `InputError` for an unknown name, weights of another architecture, fewer than two classes.
    """
    check_model_name(name)
    if classes < 2:
        raise InputError("num_classes", f"{classes} is below 2", "give the number of classes")
    own = name.removeprefix(HYBRID)

    def create() -> nn.Module:
        model: nn.Module = timm.create_model(own, pretrained=pretrained is True, num_classes=0)
        return model

    model = hub_backbone(own, create) if pretrained is True else create()
    if not isinstance(pretrained, bool):
        load_weights(model, Path(pretrained), own)
    if name != own:
        return MedicalViTAdapter(model, num_classes=classes)
    reset = getattr(model, "reset_classifier", None)
    if reset is None:
        raise InputError("model", f"{name} has no classifier to replace", "choose another model")
    reset(classes)
    for module in _classifiers(model):
        nn.init.zeros_(module.weight)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return model


def _classifiers(model: nn.Module) -> list[nn.Linear | nn.Conv2d]:
    """Find the last layers: one, or two in models that were distilled."""
    found = model.get_classifier()  # type: ignore[operator]
    parts = found if isinstance(found, tuple | list) else [found]
    last = [[m for m in part.modules() if isinstance(m, nn.Linear | nn.Conv2d)] for part in parts]
    return [layers[-1] for layers in last if layers]
