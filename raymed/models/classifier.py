"""A timm backbone, its input normalisation and a new head."""

import timm
import torch
from timm.data import resolve_data_config
from torch import nn

from raymed.config import Hybrid, Recipe
from raymed.errors import InputError
from raymed.models.hybrid import CNN, MedicalViTAdapter
from raymed.models.names import check_model_name
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

    @property
    def trunk(self) -> nn.Module:
        """What a head phase leaves alone: the backbone, or a hybrid's CNN."""
        if isinstance(self.backbone, MedicalViTAdapter):
            return self.backbone.cnn
        return self.backbone

    def new_parameters(self) -> list[str]:
        """Name what a hybrid adds to its CNN, the head included; empty for a plain backbone."""
        if self.trunk is self.backbone:
            return []
        names = [name for name, _ in self.named_parameters()]
        return [name for name in names if not name.startswith(f"backbone.{CNN}")]

    def normalised(self, images: torch.Tensor) -> torch.Tensor:
        """Map images float [b, 1 or 3, h, w] in 0..1 to what the backbone takes [b, 3, h, w]."""
        images = images.expand(-1, 3, -1, -1) if images.shape[1] == 1 else images
        return ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)

    def features(self, images: torch.Tensor) -> torch.Tensor:
        """Map images float [b, 1 or 3, h, w] in 0..1 to pooled features [b, width]."""
        features: torch.Tensor = self.backbone(self.normalised(images))
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
        backbone = hub_backbone(recipe.timm_model, lambda: _create(recipe, pretrained=True))
    else:
        backbone = _create(recipe, pretrained=False)
    if pretrained and recipe.pretrained.file is not None:
        load_weights(backbone, recipe.pretrained.file, recipe.timm_model)
    if recipe.hybrid is not None:
        backbone = _adapt(backbone, recipe.hybrid)
    return Classifier(backbone, classes, recipe.size, recipe.dropout)


def _adapt(cnn: nn.Module, hybrid: Hybrid) -> nn.Module:
    try:
        return MedicalViTAdapter(
            cnn,
            hybrid.embedding_dim,
            hybrid.heads,
            hybrid.layers,
            num_classes=0,
            dropout=hybrid.dropout,
            drop_path=hybrid.drop_path,
        )
    except InputError as error:
        raise InputError("model", error.fault, error.remedy) from None


def _create(recipe: Recipe, *, pretrained: bool) -> nn.Module:
    options: dict[str, object] = {}
    fixed = timm.get_pretrained_cfg(recipe.timm_model)
    if fixed is not None and fixed.fixed_input_size:
        options["img_size"] = recipe.size
    try:
        model = timm.create_model(
            recipe.timm_model, pretrained=pretrained, num_classes=0, **options
        )
    except (TypeError, AssertionError) as error:
        raise InputError(
            "model",
            f"{recipe.timm_model} cannot be built for {recipe.size} px ({first_line(error)})",
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
