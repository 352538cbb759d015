"""Phases: the stretches of a recipe's schedule, and how long each one is."""

import math
import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, Self

from pydantic import Field, WithJsonSchema, model_validator

from raymed.config.strict import Strict

_PERCENT = re.compile(r"(\d+(?:\.\d+)?) ?%")

Epochs = Annotated[
    int,
    Field(ge=1, description="or a share of the recipe's `budget`, as 40%"),
    WithJsonSchema(
        {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "string", "pattern": "%$"}]},
        mode="validation",
    ),
]

Schedule = Literal["constant", "cosine", "one_cycle", "slanted"]
_WARM_UP = {"one_cycle": 0.3, "slanted": 0.1}


class Phase(Strict):
    """A stretch of epochs with the same trainable layers and learning rates."""

    train: Literal["head", "all"] = "all"
    epochs: Epochs
    lr: float = Field(gt=0, description="learning rate of the head (the last layer group)")
    ratio: float = Field(
        1.0,
        gt=0,
        le=1,
        description="rate of the stem over rate of the head, geometric between; in a hybrid over "
        "that of the CNN's last group",
    )
    factor: float | None = Field(
        None, gt=0, le=1, description="in place of ratio: a layer group's rate over the next one's"
    )
    new_layers: float = Field(
        10.0,
        ge=1,
        description="hybrids only: the head and the new layers learn at lr, the CNN's last group "
        "at lr / new_layers",
    )
    schedule: Schedule = Field(
        "cosine",
        description="one_cycle: Smith 2018; slanted: triangular, as in ULMFiT (Howard, Ruder 2018)",
    )
    warmup: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="share of the phase's steps in which the rate rises; one_cycle: default 0.3, "
        "slanted: 0.1",
    )
    unfreeze: bool = Field(
        False, description="gradual: the head alone learns first, one layer group more each epoch"
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_the_warm_up(cls, values: Any) -> Any:
        if not isinstance(values, dict) or "warmup" in values:
            return values
        usual = _WARM_UP.get(str(values.get("schedule")), 0.0)
        return {**values, "warmup": usual}

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.factor is not None and self.ratio != 1:
            raise ValueError("give ratio or factor, not both")
        if self.unfreeze and self.train == "head":
            raise ValueError("a phase that trains the head alone has nothing to unfreeze")
        if self.schedule in ("one_cycle", "slanted") and self.warmup == 0:
            raise ValueError(f"{self.schedule} rises first: set warmup above 0")
        return self

    @property
    def discriminative(self) -> bool:
        """Whether layer groups learn at rates of their own, or at times of their own."""
        return self.ratio != 1 or (self.factor or 1) != 1 or self.unfreeze


def progressive_phases(
    base_lr: float = 1e-4, epochs: Sequence[int] = (5, 10, 15)
) -> tuple[Phase, ...]:
    """Give the three phases: the head, all layers at discriminative rates, all at a low one.

    The head learns at 10 * `base_lr`, then all layers at `base_lr` falling to a hundredth of it
    at the stem, at last all at a tenth of it (ULMFiT, Howard and Ruder 2018, arXiv 1801.06146).
    """
    head, discriminative, low = epochs
    return (
        Phase(train="head", epochs=head, lr=10 * base_lr),
        Phase(train="all", epochs=discriminative, lr=base_lr, ratio=0.01, warmup=0.1),
        Phase(train="all", epochs=low, lr=base_lr / 10),
    )


def usual_phases(*, scratch: bool, hybrid: bool) -> tuple[Phase, ...]:
    """Give the phases of a recipe that names none: all layers at once from scratch, or progressive.

    A hybrid's CNN learns at the rates it would have alone.
    """
    if scratch:
        return (Phase(epochs=20, lr=1e-3, warmup=0.1, new_layers=1.0 if hybrid else 10.0),)
    phases = progressive_phases()
    return hybrid_phases(phases, scratch=False) if hybrid else phases


def hybrid_phases(phases: Sequence[Phase], *, scratch: bool) -> tuple[Phase, ...]:
    """Turn a CNN's phases into those of a hybrid whose CNN learns at the rates it has alone.

    From `scratch` the new layers are no newer than the CNN and learn at its rate.
    """
    return tuple(
        phase.model_copy(update={"new_layers": 1.0})
        if scratch
        else phase.model_copy(update={"lr": phase.lr * _faster(phase)})
        for phase in phases
    )


def cnn_phases(phases: Sequence[Phase]) -> tuple[Phase, ...]:
    """Turn a hybrid's phases into those of its CNN alone, at the rates it has within."""
    usual = Phase.model_fields["new_layers"].default
    return tuple(
        phase.model_copy(update={"lr": phase.lr / _faster(phase), "new_layers": usual})
        for phase in phases
    )


def _faster(phase: Phase) -> float:
    """Tell how much faster a hybrid's head learns than its CNN: a head phase trains no CNN."""
    return phase.new_layers if phase.train == "all" else 1.0


def share_budget(phases: Any, budget: Any) -> Any:
    """Turn epochs in percent into whole epochs of `budget`, at least one each.

    The phases in percent together take their part of the budget to the epoch: what rounding
    leaves goes to those that lost most. Anything else is left for pydantic to judge.
    """
    if not isinstance(phases, list | tuple):
        return phases
    shares = [_percent(phase) for phase in phases]
    known = [share for share in shares if share is not None]
    if not known:
        return phases
    if not isinstance(budget, int) or budget < len(known):
        raise ValueError(
            f"{len(known)} phases have epochs in percent: set budget to {len(known)} or more"
        )
    if sum(known) > 100 + 1e-9:
        raise ValueError(f"the phases' epochs add up to {sum(known):g} %: 100 % is the budget")
    lengths = iter(_whole(known, budget))
    return [
        phase if share is None else {**phase, "epochs": next(lengths)}
        for phase, share in zip(phases, shares, strict=True)
    ]


def _percent(phase: Any) -> float | None:
    epochs = phase.get("epochs") if isinstance(phase, dict) else None
    match = _PERCENT.fullmatch(epochs.strip()) if isinstance(epochs, str) else None
    return float(match.group(1)) if match else None


def _whole(shares: list[float], budget: int) -> list[int]:
    exact = [share / 100 * budget for share in shares]
    lengths = [max(1, math.floor(value + 1e-9)) for value in exact]
    left = max(round(sum(exact)), len(shares)) - sum(lengths)
    most = sorted(range(len(exact)), key=lambda i: lengths[i] - exact[i])
    for index in most[: max(0, left)]:
        lengths[index] += 1
    while sum(lengths) > max(round(sum(exact)), len(shares)):
        lengths[lengths.index(max(lengths))] -= 1
    return lengths
