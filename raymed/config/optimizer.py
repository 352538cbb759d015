"""The optimizer of a recipe, and SAM around it."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from raymed.config.strict import Strict


class Optimizer(Strict):
    """The optimizer that every phase starts afresh."""

    name: Literal["adamw", "sgd"] = "adamw"
    weight_decay: float = Field(0.01, ge=0, description="matrices and kernels only")
    momentum: float = Field(0.9, ge=0, lt=1, description="SGD only")
    clip: float | None = Field(1.0, gt=0, description="largest global gradient norm")


_RHO = {"sam": 0.05, "asam": 1.0, "looksam": 0.1, "msam": 1.0}


class Sam(Strict):
    """Sharpness-aware minimization around the optimizer (Foret et al. 2021)."""

    variant: Literal["sam", "asam", "looksam", "msam"] = Field(
        "sam",
        description="asam: scaled by the weights; looksam: climbs every few steps; msam: climbs "
        "along the momentum, at the cost of a plain step",
    )
    rho: float = Field(
        0.05, ge=0, description="length of the climb; asam: default 1, looksam: 0.1, msam: 1"
    )
    every: int = Field(1, ge=1, description="looksam: steps from one climb to the next, default 5")
    alpha: float = Field(0.7, ge=0, description="looksam: weight of the reused direction")
    part: float = Field(
        1.0, gt=0, le=1, description="share of each batch that the climb is computed on"
    )
    last: float = Field(
        1.0, gt=0, le=1, description="SAM only in this last share of the recipe's steps"
    )
    synchronised: bool = Field(
        False, description="processes that share a unit climb along their mean gradient"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_what_depends_on_the_variant(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        variant = values.get("variant", "sam")
        usual = {
            "rho": _RHO.get(variant, 0.05) if isinstance(variant, str) else 0.05,
            "every": 5 if variant == "looksam" else 1,
        }
        return {**usual, **values}

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.every != 1 and self.variant != "looksam":
            raise ValueError(
                f"{self.variant} climbs on every step: set variant: looksam, or every: 1"
            )
        if self.part < 1 and self.variant in ("msam", "looksam"):
            raise ValueError(f"{self.variant} does not climb on a part of the batch: set part: 1")
        return self
