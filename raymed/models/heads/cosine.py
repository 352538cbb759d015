"""The cosine classifier: the angle between features and a class, whatever their lengths.

Gidaris and Komodakis 2018 (arXiv 1804.09458); the margin is CosFace's (Wang et al. 2018, arXiv
1801.09414).
"""

import torch
from torch import nn
from torch.nn import functional

from raymed.models.heads.contract import ClassifierHead

_APART = 1e-3
"""How far the first directions of two classes lie apart: near zero, yet not the same."""


class CosineHead(ClassifierHead):
    """logits = scale * cos(features, class direction); features times any a > 0 give the same.

    All classes start in nearly one direction, so the first loss is ln(classes). With a margin the
    true class's cosine is lowered by it in training, and the loss starts higher.
    """

    def __init__(
        self,
        width: int,
        classes: int,
        scale: float = 20.0,
        *,
        learn_scale: bool = False,
        margin: float = 0.0,
    ) -> None:
        super().__init__()
        self.in_features, self.margin = width, margin
        common = functional.normalize(torch.randn(width), dim=0)
        self.weight = nn.Parameter(common + _APART * torch.randn(classes, width) * width**-0.5)
        self.scale: torch.Tensor = nn.Parameter(torch.tensor(scale), requires_grad=learn_scale)

    def forward(self, features: torch.Tensor) -> torch.Tensor:
        """Map features [b, width] to logits [b, classes] within -scale..scale."""
        return self.scale * self._cosines(features)

    def learn(
        self, features: torch.Tensor, labels: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the logits in training, the true class's lowered by scale * margin."""
        cosines = self._cosines(features)
        if self.margin:
            cosines = cosines - self.margin * functional.one_hot(labels, cosines.shape[1])
        return self.scale * cosines, labels

    def _cosines(self, features: torch.Tensor) -> torch.Tensor:
        directions = functional.normalize(self.weight, dim=1)
        return functional.linear(functional.normalize(features, dim=1), directions)
