"""The head of a recipe: what turns features into logits."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from raymed.config.strict import Strict

Kind = Literal["linear", "cosine", "prototypical", "corn"]
_FIELDS = {
    "linear": (),
    "cosine": ("scale", "learn_scale", "margin"),
    "prototypical": ("shots", "embedding_dim"),
    "corn": (),
}
"""What each kind of head takes."""


class Head(Strict):
    """A linear layer, or another in its place; a word in YAML, or the kind with its fields."""

    kind: Kind = Field(
        "linear",
        description="cosine: of the angle to each class; prototypical: of the distance to each "
        "class's mean; corn: of ordered classes, by conditional probabilities",
    )
    scale: float = Field(20.0, gt=0, le=1000, description="cosine: the largest logit")
    learn_scale: bool = Field(False, description="cosine: the scale is trained too")
    margin: float = Field(
        0.0, ge=0, lt=2, description="cosine: taken from the true class's cosine in training"
    )
    shots: int = Field(5, ge=1, le=1000, description="prototypical: support images of a class")
    embedding_dim: int = Field(64, ge=1, le=8192, description="prototypical: where distances are")

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        usual = type(self).model_fields
        for kind, names in _FIELDS.items():
            for name in names:
                if kind != self.kind and getattr(self, name) != usual[name].default:
                    raise ValueError(f"{name} is for kind: {kind}, this is {self.kind}")
        return self


def _read_head(value: Any) -> Any:
    return {"kind": value} if isinstance(value, str) else value


HeadField = Annotated[Head, BeforeValidator(_read_head, json_schema_input_type=Kind | Head)]
"""As a configuration writes it: a word, or the kind with its fields."""
