"""Layer groups of every model that timm lists, on the meta device, where nothing is computed."""

import fnmatch
import re
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterator
from importlib import import_module
from itertools import pairwise
from typing import Any, NamedTuple

import pytest
import timm
import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from raymed.errors import InputError
from raymed.models import ArchitectureLayerGroups, layer_groups
from raymed.models.layer_groups import classifier_parameters

pytestmark = pytest.mark.slow

# Each table is exact: a pattern that no model needs any more, or a model beyond it, fails.
NOT_BUILT: dict[str, str] = {}  # cannot be built on the meta device, because ...
BY_DEPTH = {
    "caformer_*": "MetaFormer has no group_matcher",
    "convformer_*": "MetaFormer has no group_matcher",
    "poolformer*": "MetaFormer has no group_matcher",
    "csatv2*": "no group_matcher",
    "pit_*": "no group_matcher",
    "mobilenetv5_300m_enc": "no group_matcher",
    "cait_*": "its matcher mixes the class-attention blocks with the blocks before them",
}
NO_CLASSIFIER = {"*_enc": "an encoder: its last group is its last block's"}
NOT_AS_THEY_RUN = {
    "efficientvim_*": "norms of the stages' ends feed the heads, so they come with the last block"
}
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


@pytest.fixture(scope="module")
def walk() -> Iterator[dict[str, Walked]]:
    """Every model's verdict; one of a class with the same parts is also run, to see its order."""
    depths: list[nn.Module] = []
    kinds: set[object] = set()
    grouping = import_module("raymed.models.layer_groups")  # the package's name is the function
    by_depth = grouping.groups_by_depth
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(grouping, "groups_by_depth", lambda m: depths.append(m) or by_depth(m))
        yield {name: walked(name, kinds, depths) for name in timm.list_models()}


@pytest.fixture(scope="module")
def built(walk: dict[str, Walked]) -> dict[str, Walked]:
    return {name: model for name, model in walk.items() if not model.error}


def of(table: dict[str, str]) -> list[str]:
    """The models of a table, every pattern of which must name one."""
    models = timm.list_models()
    assert all(fnmatch.filter(models, pattern) for pattern in table)
    return [name for name in models if any(fnmatch.fnmatch(name, pattern) for pattern in table)]


def test_every_model_but_those_named_is_built_without_memory(walk: dict[str, Walked]) -> None:
    errors = {name: model.error for name, model in walk.items() if model.error}
    assert list(errors) == of(NOT_BUILT), errors
    assert len(walk) > 1000


def test_those_named_and_no_others_are_grouped_by_depth(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if model.by_depth] == of(BY_DEPTH)


def test_no_parameter_is_forgotten_or_named_twice(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if not model.once] == []


def test_the_classifier_is_the_last_group(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if not model.classifier] == of(NO_CLASSIFIER)
    assert [name for name, model in built.items() if not model.classifier_last] == []


def test_what_is_registered_first_is_in_the_first_group(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if not model.stem_first] == []


def test_numbered_blocks_come_in_their_order(built: dict[str, Walked]) -> None:
    assert [name for name, model in built.items() if not model.numbered] == []


def test_groups_come_in_the_order_that_they_run_in(built: dict[str, Walked]) -> None:
    odd = [name for name, model in built.items() if not model.as_they_run]
    assert all(fnmatch.filter(odd, pattern) for pattern in NOT_AS_THEY_RUN)
    assert set(odd) <= set(of(NOT_AS_THEY_RUN))


def test_every_classifier_has_five_groups(built: dict[str, Walked]) -> None:
    refused = {name: model.five for name, model in built.items() if model.five}
    expected = "model: {} has no classifier; set num_classes"
    assert refused == {name: expected.format(name) for name in of(NO_CLASSIFIER)}
