"""The optimizer that SAM is put around, and what of ours is saved with its state."""

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.optim import Optimizer

from raymed.errors import InputError

_DIRECTION = "sam_direction"


def base_of(
    base: Callable[..., Optimizer] | Optimizer, groups: list[dict[str, Any]], kwargs: dict[str, Any]
) -> Optimizer:
    """Build the base over parameter groups, or take an instance that has these parameters.

    Its own choice between foreach, fused and plain loops is left alone. Raises `InputError` for a
    base that cannot step without a closure (LBFGS), and for an instance over other parameters.
    """
    step = getattr(base, "step", None)
    closure = inspect.signature(step).parameters.get("closure") if step is not None else None
    if closure is not None and closure.default is inspect.Parameter.empty:
        name = getattr(base, "__name__", type(base).__name__)
        raise InputError(
            "base_optimizer", f"{name} needs a closure", "take one that steps by itself, as AdamW"
        )
    if not isinstance(base, Optimizer):
        return base(groups, **kwargs)
    if kwargs:
        raise InputError(
            "base_optimizer", f"is built already, {next(iter(kwargs))} is not used", "give a class"
        )
    own = {id(p) for group in base.param_groups for p in group["params"]}
    if own != {id(p) for group in groups for p in group["params"]}:
        raise InputError("base_optimizer", "has other parameters than params", "give the same ones")
    return base


def check_momentum(base: Optimizer) -> None:
    """Refuse a base without momentum: there would be nothing to climb along."""
    if "betas" not in base.defaults and not base.defaults.get("momentum"):
        raise InputError(
            "climb",
            f"{type(base).__name__} has no momentum to climb along",
            "set momentum, or AdamW",
        )


def pack(
    state: dict[str, Any], parameters: list[nn.Parameter], directions: dict[nn.Parameter, Any]
) -> dict[str, Any]:
    """Put a direction for each parameter into a base's `state_dict`, numbered as torch does."""
    tensors = {index: dict(values) for index, values in state["state"].items()}
    for index, parameter in enumerate(parameters):
        if parameter in directions:
            tensors.setdefault(index, {})[_DIRECTION] = directions[parameter]
    return {**state, "state": tensors}


def unpack(state: dict[str, Any]) -> tuple[dict[str, Any], dict[int, torch.Tensor]]:
    """Take the directions out again: the base's own `state_dict`, and theirs by number."""
    tensors = {index: dict(values) for index, values in state["state"].items()}
    found = {index: values.pop(_DIRECTION, None) for index, values in tensors.items()}
    own = {index: values for index, values in tensors.items() if values}
    directions = {index: value for index, value in found.items() if value is not None}
    return {**state, "state": own}, directions
