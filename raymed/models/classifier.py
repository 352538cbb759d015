"""A timm backbone, its input normalisation and a new head."""

import timm
import torch
from timm.data import resolve_data_config
from torch import nn

from raymed.config import Recipe
from raymed.errors import InputError, did_you_mean
from raymed.models.weights import first_line, hub_backbone, load_weights


class Classifier(nn.Module):
    """Backbone, dropout and a linear head over images in 0..1.

    Grey images are repeated to three channels and normalised by the backbone's own mean and
    standard deviation. The head starts at zero, so the first loss is ln(classes).
    """

    mean: torch.Tensor
    std: torch.Tensor

    def __init__(self, backbone: nn.Module, classes: int, size: int, dropout: float = 0.0) -> None:
        """Wrap `backbone`, a timm model without its classifier, for square inputs of `size`."""
        super().__init__()
        normalisation = resolve_data_config({}, model=backbone)
        for name in ("mean", "std"):
            values = torch.tensor(normalisation[name]).view(1, 3, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(_feature_width(backbone, size), classes)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Map images float [b, 1 or 3, h, w] in 0..1 to pooled features [b, width]."""
        images = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        normal = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        features: torch.Tensor = self.backbone(normal)
        return features

    def classify(self, features: torch.Tensor) -> torch.Tensor:
        """Map features [b, width] to logits [b, classes]."""
        logits: torch.Tensor = self.head(self.dropout(features))
        return logits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map images float [b, 1 or 3, h, w] in 0..1 to logits [b, classes]."""
        return self.classify(self.features(images))


def build_classifier(recipe: Recipe, classes: int, *, pretrained: bool = True) -> Classifier:
    """Build the model of a recipe with its first weights.

    Random weights come from torch's global generator: seed it first. With `pretrained=False` the
    pretrained weights are not loaded (a checkpoint follows). Raises `InputError` for an unknown
    model, weights of another architecture and a size the model cannot take.
    """
    check_model_name(recipe.model)
    if pretrained and recipe.pretrained.source == "hub":
        backbone = hub_backbone(recipe.model, lambda: _create(recipe, pretrained=True))
    else:
        backbone = _create(recipe, pretrained=False)
    if pretrained and recipe.pretrained.file is not None:
        load_weights(backbone, recipe.pretrained.file, recipe.model)
    return Classifier(backbone, classes, recipe.size, recipe.dropout)


def check_model_name(name: str) -> None:
    """Refuse a name that timm does not know, with the nearest one that it does."""
    if not timm.is_model(name):
        hint = did_you_mean(name, timm.list_models())
        raise InputError("model", f"timm knows no {name!r}", hint or "see timm.list_models()")


def _create(recipe: Recipe, *, pretrained: bool) -> nn.Module:
    options: dict[str, object] = {}
    fixed = timm.get_pretrained_cfg(recipe.model)
    if fixed is not None and fixed.fixed_input_size:
        options["img_size"] = recipe.size
    try:
        model = timm.create_model(recipe.model, pretrained=pretrained, num_classes=0, **options)
    except (TypeError, AssertionError) as error:
        raise InputError(
            "model",
            f"{recipe.model} cannot be built for {recipe.size} px ({first_line(error)})",
            "try the size it was made for",
        ) from None
    model = model.to(memory_format=torch.channels_last)
    assert isinstance(model, nn.Module)
    return model


def _feature_width(backbone: nn.Module, size: int) -> int:
    training = backbone.training
    try:
        with torch.inference_mode():
            features = backbone.eval()(torch.zeros(1, 3, size, size))
    except (RuntimeError, AssertionError, ValueError) as error:
        raise InputError(
            "size",
            f"the model cannot take {size} px ({first_line(error)})",
            "try the size it was made for",
        ) from None
    finally:
        backbone.train(training)
    if features.ndim != 2:
        raise InputError("model", f"gives features of shape {tuple(features.shape)}, not a vector")
    return int(features.shape[1])
