"""Meta-learners: from the members' probabilities to one distribution."""

from raymed.ensemble.meta_learners.contract import Settings
from raymed.ensemble.meta_learners.fitting import KINDS, REFERENCE, MetaLearner, fit_meta_learner
from raymed.ensemble.meta_learners.rows import MetaRows, log_probabilities

__all__ = [
    "KINDS",
    "REFERENCE",
    "MetaLearner",
    "MetaRows",
    "Settings",
    "fit_meta_learner",
    "log_probabilities",
]
