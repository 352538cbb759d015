"""Mixing samples in training."""

from typing import Literal

from pydantic import Field

from raymed.config.strict import Strict


class Mixup(Strict):
    """Training on mixtures of two samples and of their labels."""

    kind: Literal["manifold", "input", "cutmix"] = Field(
        "manifold",
        description="manifold: after a random layer group (Verma et al. 2019); input: of images "
        "(Zhang et al. 2018); cutmix: a box of another image (Yun et al. 2019)",
    )
    alpha: float = Field(
        0.2,
        gt=0,
        le=100,
        description="shares are drawn from Beta(alpha, alpha)",
    )
