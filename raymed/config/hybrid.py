"""A hybrid: a Transformer over the feature map of a CNN."""

from typing import Self

from pydantic import Field, model_validator

from raymed.config.strict import Strict

HYBRID = "hybrid/"
"""What a hybrid's model name starts with; the timm model that gives the map follows."""


class Hybrid(Strict):
    """The Transformer of a hybrid, between its CNN and its head."""

    embedding_dim: int = Field(512, ge=1, le=8192, description="width of a token")
    heads: int = Field(8, ge=1, description="attention heads; divides embedding_dim")
    layers: int = Field(4, ge=0, le=64)
    dropout: float = Field(0.1, ge=0, lt=1, description="within the encoder")
    drop_path: float = Field(0.1, ge=0, lt=1, description="of the last layer, rising to it")

    @model_validator(mode="after")
    def _heads_divide_the_width(self) -> Self:
        if self.embedding_dim % self.heads:
            raise ValueError(
                f"embedding_dim {self.embedding_dim} cannot be divided among {self.heads} heads"
            )
        return self
