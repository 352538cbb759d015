"""Training: one recipe on one fold, as a generator that reports; and loaders of your own."""

from raymed.config import progressive_phases
from raymed.training.features import compute_features, feature_file
from raymed.training.fine_tuner import ProgressiveFineTuner
from raymed.training.fold import FoldContext, train_fold
from raymed.training.lr_find import RatePoint, rate_range, suggest_rate
from raymed.training.micro_batch import MicroBatch
from raymed.training.movement import GroupMoved
from raymed.training.progress import Curve, Progress
from raymed.training.ranks import Ranks

__all__ = [
    "Curve",
    "FoldContext",
    "GroupMoved",
    "MicroBatch",
    "Progress",
    "ProgressiveFineTuner",
    "Ranks",
    "RatePoint",
    "compute_features",
    "feature_file",
    "progressive_phases",
    "rate_range",
    "suggest_rate",
    "train_fold",
]
