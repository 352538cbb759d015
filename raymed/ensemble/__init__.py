"""The ensemble: out-of-fold rows of many members, joined, and a meta-learner over them."""

from raymed.ensemble.calibration import Calibration
from raymed.ensemble.conformal import Conformal, cross_fitted_sets, fit_conformal
from raymed.ensemble.crossfit import Candidate, choose, cross_fit
from raymed.ensemble.meta_learners import (
    KINDS,
    REFERENCE,
    MetaLearner,
    MetaRows,
    Settings,
    fit_meta_learner,
    log_probabilities,
)
from raymed.ensemble.meta_learners.averaging import members_above_prior
from raymed.ensemble.oof import OofTable, join_members, member_rows, read_oof
from raymed.ensemble.stack import Stack, fit_stack, predict_folds, read_stack, write_stack
from raymed.ensemble.uncertainty import Uncertainty, split_uncertainty

__all__ = [
    "KINDS",
    "REFERENCE",
    "Calibration",
    "Candidate",
    "Conformal",
    "MetaLearner",
    "MetaRows",
    "OofTable",
    "Settings",
    "Stack",
    "Uncertainty",
    "choose",
    "cross_fit",
    "cross_fitted_sets",
    "fit_conformal",
    "fit_meta_learner",
    "fit_stack",
    "join_members",
    "log_probabilities",
    "member_rows",
    "members_above_prior",
    "predict_folds",
    "read_oof",
    "read_stack",
    "split_uncertainty",
    "write_stack",
]
