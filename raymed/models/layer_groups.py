"""A model's parameters in ordered groups, stem first, head last."""

from timm.models import group_parameters

from raymed.errors import InputError
from raymed.models.classifier import Classifier


def layer_groups(model: Classifier) -> list[list[str]]:
    """Return parameter names by group, the stem first and the new head last.

    Groups of the backbone are timm's own (`group_matcher`). Every parameter is in one group.
    """
    matcher = getattr(model.backbone, "group_matcher", None)
    if matcher is None:
        raise InputError(
            "model",
            f"{type(model.backbone).__name__} names no layer groups",
            "set ratio: 1 in every phase",
        )
    numbered = group_parameters(model.backbone, matcher(coarse=False))
    groups = [[f"backbone.{name}" for name in numbered[key]] for key in sorted(numbered)]
    head = [f"head.{name}" for name, _ in model.head.named_parameters()]
    return [*groups, head]
