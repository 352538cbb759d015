"""Models: timm backbones with a new head, and their layer groups."""

from raymed.models.architecture_groups import ArchitectureLayerGroups
from raymed.models.classifier import Classifier, build_classifier
from raymed.models.layer_groups import layer_groups
from raymed.models.weights import weights_identity

__all__ = [
    "ArchitectureLayerGroups",
    "Classifier",
    "build_classifier",
    "layer_groups",
    "weights_identity",
]
