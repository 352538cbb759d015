"""Models: timm backbones and hybrids with a new head, and their layer groups."""

from raymed.models.classifier import Classifier, build_classifier
from raymed.models.hybrid import MedicalViTAdapter
from raymed.models.layer_groups import layer_groups
from raymed.models.weights import weights_identity

__all__ = [
    "Classifier",
    "MedicalViTAdapter",
    "build_classifier",
    "layer_groups",
    "weights_identity",
]
