"""Optimizers: parameter groups with their own learning rates, schedules, SAM."""

from raymed.optim.groups import build_optimizer, discriminative_rates
from raymed.optim.sam import SAM
from raymed.optim.sam_step import SamStep, sam_step
from raymed.optim.schedules import rate_factor

__all__ = ["SAM", "SamStep", "build_optimizer", "discriminative_rates", "rate_factor", "sam_step"]
