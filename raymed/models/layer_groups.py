"""A model's parameters in ordered groups, stem first, head last."""

import logging
from collections import Counter
from collections.abc import Iterable, Sequence

from timm.models import group_parameters
from torch import nn

from raymed.errors import InputError, some
from raymed.models.blocks import groups_by_depth
from raymed.models.classifier import Classifier

log = logging.getLogger(__name__)

_POSITIONS = ("rope.", "shared_rel_pos.")
"""Learned positions that every block uses; timm's matchers forget them, so they come out last."""

_NOT_AS_THEY_RUN = {"Cait"}
"""timm puts Cait's class-attention blocks, which run last, among the last two of the others."""


def layer_groups(model: nn.Module) -> list[list[str]]:
    """Return parameter names by group, the stem first and the classifier last.

    Groups of the body are its own (`layer_groups()` of the backbone, or of a model that is no
    `Classifier`), else timm's (`group_matcher`), else its blocks in the order of registration.
    What runs between the last block and the classifier (a norm, a last convolution) is a group of
    its own, or in the last block's where timm says so. Tokens and position embeddings belong to the
    stem, a tied parameter to its first place. Every parameter, also a frozen one, is in one group.
    Raises `InputError` for a model without parameters and for groups that do not hold each once.
    """
    if isinstance(model, Classifier):
        body = _body_groups(model.backbone)
        groups = [[f"backbone.{name}" for name in group] for group in body]
    else:
        groups = _body_groups(model)
    head = classifier_parameters(model)
    groups = [_without(group, head) for group in groups] + [head]
    groups = [group for group in groups if group]
    _check_once(model, groups)
    return groups


def classifier_parameters(model: nn.Module) -> list[str]:
    """Return the parameter names of a model's classifier, auxiliary and distilled ones included.

    A classifier is what a `Classifier` calls its head, and what timm's `get_classifier` and
    `pretrained_cfg` say. Empty for a model without one, or one that names none.
    """
    if isinstance(model, Classifier):
        places = {"head"}
    else:
        said = (getattr(model, "pretrained_cfg", None) or {}).get("classifier") or ()
        places = {said} if isinstance(said, str) else set(said)
        get_classifier = getattr(model, "get_classifier", None)
        found = get_classifier() if get_classifier is not None else ()
        parts = found if isinstance(found, tuple | list) else (found,)
        places |= {
            name for name, module in model.named_modules() if any(module is part for part in parts)
        }
    inside = tuple(f"{place}." for place in places)
    return [name for name, _ in model.named_parameters() if name.startswith(inside)]


def _body_groups(body: nn.Module) -> list[list[str]]:
    own = getattr(body, "layer_groups", None)
    if own is not None:
        return [list(group) for group in own()]
    matcher = getattr(body, "group_matcher", None)
    if matcher is not None and type(body).__name__ not in _NOT_AS_THEY_RUN:
        numbered = group_parameters(body, matcher(coarse=False))
        return _with_positions_first([numbered[key] for key in sorted(numbered)])
    if not hasattr(body, "pretrained_cfg"):  # a test knows the order of timm's models
        log.warning(
            "%s names no layer groups: its blocks are taken to run in the order that they are "
            "registered in; give it a method layer_groups() if they do not",
            type(body).__name__,
        )
    return groups_by_depth(body)


def _with_positions_first(groups: list[list[str]]) -> list[list[str]]:
    positions = [name for group in groups[1:] for name in group if name.startswith(_POSITIONS)]
    rest = [_without(group, positions) for group in groups]
    return [rest[0] + positions, *rest[1:]] if groups else []


def _without(names: Iterable[str], dropped: Sequence[str]) -> list[str]:
    gone = set(dropped)
    return [name for name in names if name not in gone]


def _check_once(model: nn.Module, groups: list[list[str]]) -> None:
    kind = type(model.backbone if isinstance(model, Classifier) else model).__name__
    listed = Counter(name for group in groups for name in group)
    expected = {name for name, _ in model.named_parameters()}
    if not expected:
        raise InputError("model", f"{kind} has no parameters, so no layer groups")
    remedy = f"mend {kind}'s layer_groups() or group_matcher(), or set ratio: 1 in every phase"
    for fault, names in (
        ("forget", expected - set(listed)),
        ("name what is no parameter, or tied to an earlier one:", set(listed) - expected),
        ("name twice", {name for name, times in listed.items() if times > 1}),
    ):
        if names:
            raise InputError(
                "model", f"{kind}'s layer groups {fault} {some(sorted(names))}", remedy
            )
