"""What `raymed compare` varies."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from raymed.config.recipe import PretrainedField
from raymed.config.strict import Strict

Technique = Literal[
    "sam",
    "progressive",
    "architecture",
    "ensemble",
    "evidential",
    "prototypical",
    "triplet",
    "center",
    "mixup",
    "cosine",
    "squeeze_excite",
    "ordinal",
]


class Transformer(Strict):
    """The Transformer that stands in for a recipe's model."""

    model: str = Field(description="a timm model by name")
    pretrained: PretrainedField | None = Field(
        None, description="default: the recipe's, where that is hub or none"
    )


def _read_transformer(value: Any) -> Any:
    return {"model": value} if isinstance(value, str) else value


def _refuse_repeated(techniques: tuple[Technique, ...]) -> tuple[Technique, ...]:
    if len(set(techniques)) < len(techniques):
        raise ValueError("a technique stands twice")
    return techniques


class Compare(Strict):
    """The recipe that `raymed compare` varies, and the techniques that it switches."""

    recipe: str | None = Field(None, description="default: the first that is no probe")
    transformer: Annotated[
        Transformer | None,
        BeforeValidator(_read_transformer, json_schema_input_type=str | Transformer | None),
    ] = Field(None, description="compared with the recipe's own model; default: none")
    techniques: Annotated[tuple[Technique, ...], AfterValidator(_refuse_repeated)] = Field(
        ("sam", "progressive", "architecture", "ensemble"),
        min_length=1,
        description="the others are compared where they are asked for: each trains a model or more",
    )
    seeds: int = Field(
        1, ge=1, le=100, description="each draws folds, first weights and batches anew"
    )
