"""Optimizers: parameter groups with their own learning rates, schedules, SAM."""

from raymed.optim.groups import build_optimizer, discriminative_rates
from raymed.optim.memory import PassTooLargeError, one_pass
from raymed.optim.sam import SAM
from raymed.optim.sam_step import SamStep, sam_step
from raymed.optim.schedules import rate_factor

__all__ = [
    "SAM",
    "PassTooLargeError",
    "SamStep",
    "build_optimizer",
    "discriminative_rates",
    "one_pass",
    "rate_factor",
    "sam_step",
]
