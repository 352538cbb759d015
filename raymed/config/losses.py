"""What a recipe's loss is made of, beside plain cross-entropy."""

from typing import Literal

from pydantic import Field

from raymed.config.strict import Strict


class Evidential(Strict):
    """Logits become evidence for each class, and doubt of all of them (Sensoy et al. 2018)."""

    anneal: int = Field(
        10, ge=1, description="epochs in which wrong evidence comes to its full price"
    )


class OrdinalSmoothing(Strict):
    """Near classes get a share of the target, distant ones none (SORD, Diaz and Marathe 2019)."""

    distance: Literal["absolute", "squared"] = Field(
        "squared", description="of two classes: |i - j|, or its square"
    )
    temperature: float = Field(
        0.5, gt=0, le=100, description="targets are softmax(-distance / temperature)"
    )


class Triplet(Strict):
    """Features of a class draw together over patients, those of others apart."""

    weight: float = Field(0.1, gt=0, le=100, description="of this loss beside the main one")
    margin: float = Field(0.2, gt=0, lt=2, description="between normalised features")
    mining: Literal["hard", "semi-hard"] = Field(
        "hard", description="hard: the worst pair of each image; semi-hard: negatives in the margin"
    )


class Center(Strict):
    """Features stay near the centre of their class (Wen et al. 2016)."""

    weight: float = Field(0.003, gt=0, le=100, description="of this loss beside the main one")
    lr: float = Field(0.5, gt=0, le=1, description="how far a centre follows its batch")
