"""Training: one function trains one fold of one recipe, and knows nothing of Ray."""

from raymed.training.features import compute_features, feature_file
from raymed.training.fold import FoldContext, train_fold
from raymed.training.progress import Progress
from raymed.training.ranks import Ranks

__all__ = ["FoldContext", "Progress", "Ranks", "compute_features", "feature_file", "train_fold"]
