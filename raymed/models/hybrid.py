"""A CNN whose feature map a Transformer reads: the "Medical ViT adapter"."""

from collections.abc import Callable
from typing import Any

import timm
import torch
from timm.models import group_parameters
from torch import nn

from raymed.errors import InputError
from raymed.models.encoder import GatedEncoder
from raymed.models.feature_maps import feature_map, map_channels
from raymed.models.names import check_model_name
from raymed.models.weights import hub_backbone

CNN = "cnn."
"""What the names of a hybrid's pretrained parameters start with; all others are new."""


class MedicalViTAdapter(nn.Module):
    """CNN feature map, 1x1 projection, gated Transformer encoder, mean pool, norm, classifier.

    Local features from the CNN and global attention over them, as in TransUNet's encoder (Chen et
    al. 2021, arXiv 2102.04306) and CoTr (arXiv 2103.03024). The projection is there also at equal
    widths. The encoder's gate is initially zero (`GatedEncoder`), so a new model computes exactly
    what it would with `num_transformer_layers=0`: a pretrained CNN's features are not disturbed
    by layers that have learned nothing. The norm follows the pooling, where those two are alike.
    The classifier starts near zero: the first loss is ln(classes), yet gradients pass it.

    Any input size and aspect that the CNN takes: positions are resampled to its map.
    """

    def __init__(
        self,
        cnn_backbone: str | nn.Module = "resnet18",
        embedding_dim: int = 512,
        num_heads: int = 8,
        num_transformer_layers: int = 4,
        num_classes: int = 4,
        *,
        pretrained: bool = False,
        dropout: float = 0.1,
        drop_path: float = 0.1,
        mlp_ratio: float = 4.0,
    ) -> None:
        """Wrap a timm model by name, or a module that gives a feature map.

        A module becomes part of this one: a timm model loses what comes after its map. With
        `pretrained` a named CNN gets timm's hub weights. With `num_classes=0` the output is the
        pooled vector, as in timm. Raises `InputError` for an unknown name, a backbone without a
        map, and numbers that do not fit.
        """
        super().__init__()
        _check_numbers(embedding_dim, num_heads, num_transformer_layers, num_classes)
        _check_shares(dropout=dropout, drop_path=drop_path)
        if isinstance(cnn_backbone, str):
            cnn_backbone = _by_name(cnn_backbone, pretrained)
        self.cnn: nn.Module = cnn_backbone
        self.pretrained_cfg: dict[str, Any] = getattr(self.cnn, "pretrained_cfg", None) or {}
        self.num_features, self.num_classes = embedding_dim, num_classes
        channels = map_channels(self.cnn)
        self.projection = nn.Conv2d(channels, embedding_dim, 1)
        nn.init.normal_(self.projection.weight, std=channels**-0.5)  # keeps the map's scale
        self.encoder: nn.Module = nn.Identity()
        if num_transformer_layers:
            self.encoder = GatedEncoder(
                embedding_dim, num_heads, num_transformer_layers, dropout, drop_path, mlp_ratio
            )
        self.norm = nn.LayerNorm(embedding_dim)
        self.classifier: nn.Module = nn.Identity()
        if num_classes:
            head = nn.Linear(embedding_dim, num_classes)
            nn.init.normal_(head.weight, std=1e-3)
            nn.init.zeros_(head.bias)
            self.classifier = head

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images [b, 3, h, w] to logits [b, num_classes], or [b, embedding_dim]."""
        return self.forward_head(self.forward_features(images))

    def forward_features(self, images: torch.Tensor) -> torch.Tensor:
        """Map normalised images [b, 3, h, w] to the encoder's map [b, embedding_dim, h', w']."""
        read: torch.Tensor = self.encoder(self.projection(feature_map(self.cnn, images)))
        return read

    def forward_head(self, read: torch.Tensor) -> torch.Tensor:
        """Pool the encoder's map: to logits, or [b, embedding_dim], as `forward` gives them."""
        logits: torch.Tensor = self.classifier(self.norm(read.mean((2, 3))))
        return logits

    def new_parameters(self) -> list[str]:
        """Name what is new between CNN and classifier: it learns faster than the CNN."""
        names = [name for name, _ in self.named_parameters()]
        return [name for name in names if not name.startswith((CNN, "classifier."))]

    def layer_groups(self) -> list[list[str]]:
        """Return parameter names by group: the CNN's from its stem, the new layers, the classifier.

        The CNN's groups are timm's own (`group_matcher`); a CNN without them is one group.
        """
        matcher = getattr(self.cnn, "group_matcher", None)
        own = [[name for name, _ in self.cnn.named_parameters()]]
        if matcher is not None:
            numbered = group_parameters(self.cnn, matcher(coarse=False))
            own = [numbered[key] for key in sorted(numbered)]
        groups = [[CNN + name for name in names] for names in own]
        classifier = [f"classifier.{name}" for name, _ in self.classifier.named_parameters()]
        return [names for names in (*groups, self.new_parameters(), classifier) if names]

    def group_matcher(self, coarse: bool = False) -> Callable[[str], int]:
        """Tell timm's tools the same: a function from a parameter's name to its group's number."""
        place = {name: i for i, names in enumerate(self.layer_groups()) for name in names}
        return place.__getitem__


def _by_name(name: str, pretrained: bool) -> nn.Module:
    check_model_name(name)

    def create() -> nn.Module:
        cnn: nn.Module = timm.create_model(name, pretrained=pretrained, num_classes=0)
        return cnn

    return hub_backbone(name, create) if pretrained else create()


def _check_numbers(embedding_dim: int, heads: int, layers: int, classes: int) -> None:
    if heads < 1 or embedding_dim < 1 or embedding_dim % heads:
        raise InputError(
            "embedding_dim",
            f"{embedding_dim} cannot be divided among {heads} heads",
            "make it a multiple of num_heads",
        )
    for place, count in (("num_transformer_layers", layers), ("num_classes", classes)):
        if count < 0:
            raise InputError(place, f"{count} is negative", "give 0 for none")


def _check_shares(**shares: float) -> None:
    for place, share in shares.items():
        if not 0 <= share < 1:
            raise InputError(place, f"{share} is not in [0, 1)")
