"""Optimizers: parameter groups with their own learning rates, and schedules."""

from raymed.optim.groups import build_optimizer
from raymed.optim.schedules import rate_factor

__all__ = ["build_optimizer", "rate_factor"]
