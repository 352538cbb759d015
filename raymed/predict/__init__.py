"""Prediction: a stack on new images, by files or as one module."""

from raymed.predict.few_shot import Support
from raymed.predict.module import EnsembleMetaClassifier
from raymed.predict.new_images import NewImages
from raymed.predict.stack import StackPredictor, load_stack
from raymed.predict.table import check_output, write_predictions

__all__ = [
    "EnsembleMetaClassifier",
    "NewImages",
    "StackPredictor",
    "Support",
    "check_output",
    "load_stack",
    "write_predictions",
]
