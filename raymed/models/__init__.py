"""Models: timm backbones and hybrids with a new head, their layer groups, what they cost."""

from raymed.models.architecture_groups import ArchitectureLayerGroups
from raymed.models.classifier import Classifier, build_classifier
from raymed.models.cost import ModelCost, describe_model
from raymed.models.heads import Outputs
from raymed.models.hybrid import MedicalViTAdapter
from raymed.models.layer_groups import layer_groups
from raymed.models.mixing_points import mixing_points
from raymed.models.timm_classifier import build_timm_classifier
from raymed.models.weights import weights_identity

__all__ = [
    "ArchitectureLayerGroups",
    "Classifier",
    "MedicalViTAdapter",
    "ModelCost",
    "Outputs",
    "build_classifier",
    "build_timm_classifier",
    "describe_model",
    "layer_groups",
    "mixing_points",
    "weights_identity",
]
