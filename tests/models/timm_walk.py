"""A process of its own that builds models of timm on the meta device, and groups their layers.

`python timm_walk.py FIRST LAST` prints the verdicts as JSON, of the models with these numbers.
"""

import json
import re
import sys
import warnings
from collections import defaultdict
from collections.abc import Callable
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import timm
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from raymed.errors import InputError
from raymed.models import ArchitectureLayerGroups, layer_groups
from raymed.models.layer_groups import classifier_parameters

LATE = ("cls_token", "pos_embed", "crpe")  # may be used long after the rest of their group


class Walked(NamedTuple):
    """What is true of one model's groups."""

    error: str = ""  # of building it
    by_depth: bool = False
    once: bool = False
    classifier: bool = False
    classifier_last: bool = False
    stem_first: bool = False
    numbered: bool = False
    as_they_run: bool = False
    five: str = ""


class Uninitialised(TorchFunctionMode):
    """Leaves new tensors as they are: half of the time goes to values that meta has not."""

    skipped = frozenset(
        ["normal_", "uniform_", "erfinv_", "mul_", "add_", "sub_", "clamp_", "fill_", "zero_"]
    )

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        skip = args and getattr(func, "__name__", "") in self.skipped
        return args[0] if skip else func(*args, **(kwargs or {}))


class FirstUses(TorchFunctionMode):
    """Notes every parameter when it is first used."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.names = {id(value): name for name, value in model.named_parameters()}
        self.order: dict[str, int] = {}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        self._note([*args, *(kwargs or {}).values()])
        return func(*args, **(kwargs or {}))

    def _note(self, values: Any) -> None:
        for value in values:
            if isinstance(value, list | tuple):
                self._note(value)
            elif isinstance(value, nn.Parameter) and id(value) in self.names:
                self.order.setdefault(self.names[id(value)], len(self.order))


def numbers_rise(groups: list[list[str]]) -> bool:
    """Whether what is numbered in one place (`blocks.0`, `blocks.1`) comes in that order."""
    places: dict[str, dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
    for index, group in enumerate(groups):
        for name in group:
            for hit in re.finditer(r"\d+", name):
                places[name[: hit.start()]][int(hit.group())].append(index)
    for found in places.values():
        spans = [(min(found[number]), max(found[number])) for number in sorted(found)]
        if any(one[1] > two[0] for one, two in pairwise(spans)):
            return False
    return True


def runs_in_order(model: nn.Module, groups: list[list[str]]) -> bool:
    """Whether every group is used after the whole of the group before it."""
    size = model.pretrained_cfg.get("input_size", (3, 224, 224))
    with torch.device("meta"), torch.no_grad(), FirstUses(model) as uses:
        model.eval()(torch.zeros(2, *size))
    first = [min(uses.order[name] for name in group) for group in groups]
    last = [
        max((uses.order[name] for name in group if not name.startswith(LATE)), default=-1)
        for group in groups
    ]
    return all(end < start for end, start in zip(last[:-1], first[1:], strict=True))


def five_groups(model: nn.Module, name: str, classifier: list[str]) -> str:
    """Return what is wrong with the model's five groups."""
    parameters = dict(model.named_parameters())
    try:
        five = ArchitectureLayerGroups.get_layer_groups(model, name)
    except InputError as error:
        return str(error)
    listed = [id(value) for group in five for value in group]
    if sorted(listed) != sorted(map(id, parameters.values())):
        return "not every parameter once"
    if {id(value) for value in five[-1]} != {id(parameters[name]) for name in classifier}:
        return "the last is not the classifier"
    return "" if len(five) == 5 and all(five) else "not five, or an empty one"


def walked(name: str, kinds: set[object], depths: list[nn.Module]) -> Walked:
    try:
        with torch.device("meta"), Uninitialised(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what models say when they are built
            model = timm.create_model(name, num_classes=7)
    except Exception as error:  # whatever it is, it is told below
        return Walked(f"{type(error).__name__}: {error}")
    depths.clear()
    groups = layer_groups(model)
    names = [parameter for parameter, _ in model.named_parameters()]
    classifier = classifier_parameters(model)
    placed = [parameter for parameter in names if "." in parameter]  # tokens are named first
    kind = (type(model), frozenset(parameter.split(".")[0] for parameter in names))
    new = kind not in kinds
    kinds.add(kind)
    body = groups[:-1] if classifier else groups
    return Walked(
        by_depth=bool(depths),
        once=sorted(names) == sorted(parameter for group in groups for parameter in group),
        classifier=bool(classifier),
        classifier_last=not classifier or sorted(groups[-1]) == sorted(classifier),
        stem_first=placed[0] in groups[0],
        numbered=numbers_rise(body),
        as_they_run=not new or runs_in_order(model, body),
        five=five_groups(model, name, classifier),
    )


def main(first: int, last: int) -> None:
    """Walk; one model of a class with the same parts is also run, to see its order."""
    kinds: set[object] = set()
    depths: list[nn.Module] = []
    grouping = import_module("raymed.models.layer_groups")  # the package's name is the function
    by_depth = grouping.groups_by_depth
    grouping.groups_by_depth = lambda model: depths.append(model) or by_depth(model)
    names = timm.list_models()[first:last]
    print(json.dumps({name: walked(name, kinds, depths)._asdict() for name in names}))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
