"""Squeeze-and-excitation blocks for a backbone that has none."""

from typing import Annotated

from pydantic import AfterValidator, Field

from raymed.config.strict import Strict


def _in_order(stages: tuple[int, ...] | None) -> tuple[int, ...] | None:
    if stages is not None and sorted(set(stages)) != list(stages):
        raise ValueError("list each stage once, the first one first")
    return stages


class SqueezeExcite(Strict):
    """A block after each of some stages weighs its channels (Hu et al. 2018)."""

    stages: Annotated[tuple[Annotated[int, Field(ge=1)], ...] | None, AfterValidator(_in_order)] = (
        Field(None, min_length=1, description="counted from 1 at the stem; default: all")
    )
    reduction: int = Field(16, ge=1, le=256, description="channels over those within the block")
