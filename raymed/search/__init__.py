"""The search for a recipe: its space, and a study that is shared, resumable and right. No Ray."""

from raymed.config.assembling import recipe_at
from raymed.config.space import Choices, Leaf, Option, Range, Scalar, Space
from raymed.search.budget import Budget, Spent, drivers, first_error, spent_by
from raymed.search.choice import choose_diverse
from raymed.search.defaults import Family, default_tree, family_of
from raymed.search.halving import EpochCurve, Halving
from raymed.search.identity import Identity
from raymed.search.leases import LeaseLostError
from raymed.search.location import Point, parameters_of
from raymed.search.nested import choose_without_each_fold, pool_chosen
from raymed.search.opening import LOG_LOSS, open_study
from raymed.search.patients import OofRows, worse_by_patient
from raymed.search.points import known_points, known_recipes
from raymed.search.pruning import MedianOfMeans, Pruner, fold_order, make_pruner
from raymed.search.sampling import Sampler, make_sampler, refuse_unfit_sampler
from raymed.search.snapshot import read_snapshot, write_snapshot
from raymed.search.space import distributions_of, space_of, suggest
from raymed.search.storage import close_storage, open_storage, refuse_for_nodes
from raymed.search.study import SharedStudy
from raymed.search.trials import (
    AS_IT_STANDS,
    Trial,
    epoch_curve,
    epoch_curves,
    error_of,
    fold_seconds,
    fold_values,
    is_as_it_stands,
    stored,
)

__all__ = [
    "AS_IT_STANDS",
    "LOG_LOSS",
    "Budget",
    "Choices",
    "EpochCurve",
    "Family",
    "Halving",
    "Identity",
    "Leaf",
    "LeaseLostError",
    "MedianOfMeans",
    "OofRows",
    "Option",
    "Point",
    "Pruner",
    "Range",
    "Sampler",
    "Scalar",
    "SharedStudy",
    "Space",
    "Spent",
    "Trial",
    "choose_diverse",
    "choose_without_each_fold",
    "close_storage",
    "default_tree",
    "distributions_of",
    "drivers",
    "epoch_curve",
    "epoch_curves",
    "error_of",
    "family_of",
    "first_error",
    "fold_order",
    "fold_seconds",
    "fold_values",
    "is_as_it_stands",
    "known_points",
    "known_recipes",
    "make_pruner",
    "make_sampler",
    "open_storage",
    "open_study",
    "parameters_of",
    "pool_chosen",
    "read_snapshot",
    "recipe_at",
    "refuse_for_nodes",
    "refuse_unfit_sampler",
    "space_of",
    "spent_by",
    "stored",
    "suggest",
    "worse_by_patient",
    "write_snapshot",
]
