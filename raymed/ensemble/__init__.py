"""The ensemble: out-of-fold rows of many members, joined, and a meta-learner over them."""

from raymed.ensemble.crossfit import Candidate, choose, cross_fit
from raymed.ensemble.meta_learners import MetaLearner, fit_meta_learner
from raymed.ensemble.oof import OofTable, join_members, member_rows, read_oof
from raymed.ensemble.stack import Stack, fit_stack, predict_folds, read_stack, write_stack

__all__ = [
    "Candidate",
    "MetaLearner",
    "OofTable",
    "Stack",
    "choose",
    "cross_fit",
    "fit_meta_learner",
    "fit_stack",
    "join_members",
    "member_rows",
    "predict_folds",
    "read_oof",
    "read_stack",
    "write_stack",
]
