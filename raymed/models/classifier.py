"""A timm backbone, its input normalisation and a new head."""

import timm
import torch
from timm.data import resolve_data_config
from torch import nn

from raymed.config import Head, Hybrid, Recipe
from raymed.errors import InputError
from raymed.models.heads import Evidence, Outputs, build_head
from raymed.models.hybrid import CNN, MedicalViTAdapter
from raymed.models.names import check_model_name
from raymed.models.squeeze_excite import insert_squeeze_excite
from raymed.models.weights import first_line, hub_backbone, load_weights


class Classifier(nn.Module):
    """Backbone, dropout and a head over images in 0..1.

    Grey images are repeated to three channels and normalised by the backbone's own mean and
    standard deviation. The first loss is ln(classes). Whatever the head, softmax of the logits is
    what the model says.
    """

    mean: torch.Tensor
    std: torch.Tensor
    centers: torch.Tensor | None

    def __init__(
        self,
        backbone: nn.Module,
        classes: int,
        size: int,
        dropout: float = 0.0,
        head: Head | None = None,
        *,
        evidential: bool = False,
        centers: bool = False,
    ) -> None:
        """Wrap `backbone`, a timm model without its classifier, for square inputs of `size`.

        With `evidential` the head's scores are evidence (`Evidence`); with `centers` the model
        keeps a centre of each class's features, which training moves.
        """
        super().__init__()
        normalisation = resolve_data_config({}, model=backbone)
        for name in ("mean", "std"):
            values = torch.tensor(normalisation[name]).view(1, 3, 1, 1)
            self.register_buffer(name, values, persistent=False)
        self.backbone = backbone
        self.dropout = nn.Dropout(dropout)
        width = _feature_width(backbone, size)
        self.head = build_head(head or Head(), width, classes)
        self.readout: nn.Module = Evidence() if evidential else nn.Identity()
        self.register_buffer("centers", torch.zeros(classes, width) if centers else None)

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
        logits: torch.Tensor = self.readout(self.head(self.dropout(features)))
        return logits

    def learn(self, features: torch.Tensor, labels: torch.Tensor) -> Outputs:
        """Give what training compares with the labels int64 [b] of features [b, width]."""
        scores, own = self.head.learn(self.dropout(features), labels)
        return Outputs(self.readout(scores), features, own)

    def forward(
        self, images: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor | Outputs:
        """Map images float [b, 1 or 3, h, w] in 0..1 to logits [b, classes].

        With `labels` int64 [b], in training, to what is compared with them.
        """
        features = self.features(images)
        return self.classify(features) if labels is None else self.learn(features, labels)


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
    if recipe.squeeze_excite is not None:
        blocks = recipe.squeeze_excite
        insert_squeeze_excite(backbone, blocks.stages, blocks.reduction)
    if recipe.hybrid is not None:
        backbone = _adapt(backbone, recipe.hybrid)
    return Classifier(
        backbone,
        classes,
        recipe.size,
        recipe.dropout,
        recipe.head,
        evidential=recipe.evidential is not None,
        centers=recipe.center is not None,
    )


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
