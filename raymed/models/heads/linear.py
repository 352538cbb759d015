"""The linear head."""

from torch import nn

from raymed.models.heads.contract import ClassifierHead


class LinearHead(nn.Linear, ClassifierHead):
    """A linear layer that starts at zero, so that no class is preferred."""

    def __init__(self, width: int, classes: int) -> None:
        super().__init__(width, classes)
        nn.init.zeros_(self.weight)
        nn.init.zeros_(self.bias)
