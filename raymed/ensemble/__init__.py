"""The ensemble: out-of-fold rows of many members, joined, and a meta-learner over them."""

from raymed.ensemble.calibration import Calibration
from raymed.ensemble.conformal import Conformal, cross_fitted_sets, fit_conformal
from raymed.ensemble.crossfit import Candidate, choose, cross_fit
from raymed.ensemble.joining import join_members
from raymed.ensemble.meta_learners import (
    KINDS,
    REFERENCE,
    MetaLearner,
    MetaRows,
    Settings,
    fit_meta_learner,
    log_probabilities,
)
from raymed.ensemble.meta_learners.averaging import mean_weights
from raymed.ensemble.oof import OofTable, member_rows, read_oof
from raymed.ensemble.stack import (
    Stack,
    assemble_stack,
    predict_folds,
    read_stack,
    write_stack,
)
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
    "assemble_stack",
    "choose",
    "cross_fit",
    "cross_fitted_sets",
    "fit_conformal",
    "fit_meta_learner",
    "join_members",
    "log_probabilities",
    "mean_weights",
    "member_rows",
    "predict_folds",
    "read_oof",
    "read_stack",
    "split_uncertainty",
    "write_stack",
]
