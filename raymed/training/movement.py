"""How far training moved each layer group of a model from its first weights."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from raymed.models import Classifier, layer_groups
from raymed.training.optimizer_state import TensorState

STEM, BODY, NEW, HEAD = "stem", "body", "new layers", "head"
NamedGroup = tuple[str, Sequence[str]]
"""A layer group: what it is called, and the names of its parameters."""


@dataclass(frozen=True)
class GroupMoved:
    """How far one layer group moved, in L2 norms over all its parameters.

    `absolute` is |w_end - w_start|, None where weights are not finite; `relative` is that over
    |w_start|, None too where the group starts at zero. Buffers, such as BatchNorm's statistics,
    do not count.
    """

    group: str
    relative: float | None
    absolute: float | None


def group_movement(
    first: Mapping[str, torch.Tensor],
    last: Mapping[str, torch.Tensor],
    groups: Sequence[NamedGroup],
) -> list[GroupMoved]:
    """Compare two states of a model, group by group; sums are in float64, on the CPU."""
    return [_compare(group, names, first, last) for group, names in groups]


def first_weights(model: Classifier) -> TensorState:
    """Copy a model's parameters to the CPU, to compare them with later."""
    return {
        name: parameter.detach().to("cpu", copy=True)
        for name, parameter in model.named_parameters()
    }


def model_movement(model: Classifier, first: TensorState | None) -> list[GroupMoved]:
    """Tell how far a model's groups are from their first weights, the stem first, the head last.

    Without `first` weights the backbone never learned, as in a probe on cached features: one body
    group that moved by 0, and the head from the zero that every head starts at.
    """
    last = dict(model.named_parameters())
    if first is not None:
        return group_movement(first, last, named_groups(model))
    head = [name for name in last if name.startswith(f"{HEAD}.")]
    zero = {name: torch.zeros_like(last[name]) for name in head}
    return [GroupMoved(BODY, 0.0, 0.0), *group_movement(zero, last, [(HEAD, head)])]


def named_groups(model: Classifier) -> list[NamedGroup]:
    """Name a model's layer groups: stem, what the modules between are called, head."""
    groups = layer_groups(model)
    new = set(model.new_parameters())
    between = [
        (NEW if new.issuperset(names) else _common_place(names) or f"group {at}", names)
        for at, names in enumerate(groups[1:-1], start=1)
    ]
    return [(STEM, groups[0]), *between, (HEAD, groups[-1])]


def _common_place(names: Sequence[str]) -> str:
    """Give the innermost module that holds all these parameters, without `backbone`."""
    parts = [name.split(".")[1:-1] for name in names]
    shared = []
    for at_this_depth in zip(*parts, strict=False):
        if len(set(at_this_depth)) > 1:
            break
        shared.append(at_this_depth[0])
    return ".".join(shared)


def _compare(
    group: str,
    names: Sequence[str],
    first: Mapping[str, torch.Tensor],
    last: Mapping[str, torch.Tensor],
) -> GroupMoved:
    starts = {name: _doubles(first[name]) for name in names}
    start = _norm(list(starts.values()))
    moved = _norm([_doubles(last[name]) - starts[name] for name in names])
    if not math.isfinite(start + moved):
        return GroupMoved(group, None, None)
    return GroupMoved(group, moved / start if start else None, moved)


def _doubles(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.detach().to("cpu", torch.float64)


def _norm(tensors: Sequence[torch.Tensor]) -> float:
    return math.hypot(*(float(torch.linalg.vector_norm(each)) for each in tensors))
