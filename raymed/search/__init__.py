"""The search for a recipe: a study that is shared, resumable and right. Knows no Ray, no torch."""

from raymed.search.budget import Budget, Spent, first_error, spent_by
from raymed.search.choice import choose_diverse
from raymed.search.halving import EpochCurve, Halving
from raymed.search.identity import Identity
from raymed.search.leases import LeaseLostError
from raymed.search.opening import open_study
from raymed.search.patients import OofRows, worse_by_patient
from raymed.search.pruning import MedianOfMeans, Pruner, fold_order, make_pruner
from raymed.search.sampling import Sampler, make_sampler, refuse_unfit_sampler
from raymed.search.storage import close_storage, open_storage
from raymed.search.study import SharedStudy
from raymed.search.trials import Trial, fold_values

__all__ = [
    "Budget",
    "EpochCurve",
    "Halving",
    "Identity",
    "LeaseLostError",
    "MedianOfMeans",
    "OofRows",
    "Pruner",
    "Sampler",
    "SharedStudy",
    "Spent",
    "Trial",
    "choose_diverse",
    "close_storage",
    "first_error",
    "fold_order",
    "fold_values",
    "make_pruner",
    "make_sampler",
    "open_storage",
    "open_study",
    "refuse_unfit_sampler",
    "spent_by",
    "worse_by_patient",
]
