"""Five parameter groups of an architecture, for one learning rate each."""

import re
from collections import Counter

import timm
import torch
from torch import nn

from raymed.errors import InputError, some
from raymed.models.classifier import Classifier
from raymed.models.layer_groups import classifier_parameters, layer_groups
from raymed.models.names import check_model_name

_PARTS = 4  # of the body; the fifth group is the classifier
_NUMBERED = re.compile(r"(\D+?)[._]?(\d+)")


class ArchitectureLayerGroups:
    """The layer groups of a timm architecture, merged into five, early to classifier."""

    @staticmethod
    def get_layer_groups(model: nn.Module, architecture: str) -> list[list[nn.Parameter]]:
        """Return five lists of parameters for `AdamW([{"params": group, "lr": ...}, ...])`.

        Where the body has four stages they are the first four groups, the stem in the first;
        else its blocks are dealt to four parts of equal length, as far as they go. The fifth is the
        classifier alone. Lists are disjoint, not empty, and hold all parameters, frozen ones too.

        `architecture` is a timm model's name, with or without a weights' tag; `model` a timm model,
        a `Classifier`, or any module with that timm model's parameters (torchvision's ResNet).
        Raises `InputError` for a name that timm does not know, a model of another architecture, one
        without a classifier and one with fewer than five layer groups.
        """
        check_model_name(architecture)
        named = _of_architecture(model, architecture.partition(".")[0])
        groups = layer_groups(named)
        classifier = classifier_parameters(named)
        if not classifier:
            raise InputError("model", f"{architecture} has no classifier", "set num_classes")
        if len(groups) <= _PARTS:
            raise InputError(
                "model",
                f"{architecture} has {len(groups)} layer groups, fewer than {_PARTS + 1}",
                "use layer_groups(model) as they are",
            )
        parameters = dict(model.named_parameters())
        parts: list[list[nn.Parameter]] = [[] for _ in range(_PARTS + 1)]
        for part, group in zip([*_dealt(groups[:-1]), _PARTS], groups, strict=True):
            parts[part] += [parameters[name] for name in group]
        return parts


def _of_architecture(model: nn.Module, name: str) -> nn.Module:
    """Return the model, if it says that it is `name`, or a `name` on no device with its names."""
    said = _architecture(model.backbone if isinstance(model, Classifier) else model)
    if said == name:
        return model
    with torch.device("meta"):
        reference: nn.Module = timm.create_model(name)
    if said is None:
        _check_same_parameters(model, reference, name)
        return reference
    if said != _architecture(reference):  # vitamin_xlarge_336 calls itself vitamin_xlarge_256
        raise InputError("architecture", f"the model is {said!r}, not {name!r}", f"name {said!r}")
    return model


def _architecture(model: nn.Module) -> str | None:
    said: str | None = (getattr(model, "pretrained_cfg", None) or {}).get("architecture")
    return said


def _check_same_parameters(model: nn.Module, reference: nn.Module, name: str) -> None:
    own, expected = (
        {key: tuple(value.shape) for key, value in module.named_parameters()}
        for module in (model, reference)
    )
    for key in classifier_parameters(reference):  # the number of classes is free
        expected[key] = own.get(key, ())
    differing = [key for key in expected | own if own.get(key) != expected.get(key)]
    if differing:
        raise InputError(
            "architecture",
            f"{type(model).__name__} differs from timm's {name!r} in {some(sorted(differing))}",
            "name the model's own architecture",
        )


def _dealt(body: list[list[str]]) -> list[int]:
    """Return the part, 0 to 3, of every group of a body of at least four, in rising order."""
    stage_of = {unit: stage for unit, stage in enumerate(_stages(body)) if stage is not None}
    stages = list(dict.fromkeys(stage_of.values()))
    units = list(stage_of) if len(stage_of) >= _PARTS else list(range(len(body)))
    if len(stages) == _PARTS:
        part_of = {unit: stages.index(stage) for unit, stage in stage_of.items()}
    else:
        part_of = {unit: place * _PARTS // len(units) for place, unit in enumerate(units)}
    # what is between two blocks (a downsampling) goes with the second, a last norm with the last
    return [
        part_of[next((unit for unit in units if unit >= index), units[-1])]
        for index in range(len(body))
    ]


def _stages(body: list[list[str]]) -> list[str | None]:
    """Return every group's stage (`layer1`, `stages.0`, `blocks.11`), or None outside of them.

    Stages are what most groups after the stem are numbered by.
    """
    found = [[_NUMBERED.match(name) for name in group] for group in body[1:]]
    bases = Counter(base for group in found for base in {hit.group(1) for hit in group if hit})
    if not bases:
        return [None] * len(body)
    most = max(bases, key=lambda base: bases[base])
    inside = [next((m.group() for m in group if m and m.group(1) == most), None) for group in found]
    return [None, *inside]
