"""Losses, and what mixes samples for them."""

from raymed.losses.center import Pull, center_loss, move_centers, pull_of
from raymed.losses.cross_entropy import balanced_weights, cross_entropy
from raymed.losses.evidential import annealed_share, evidential_losses
from raymed.losses.mixup import INPUT, Mix, draw_mix
from raymed.losses.ordinal_smoothing import ordinal_targets, soft_losses
from raymed.losses.triplet import triplet_loss

__all__ = [
    "INPUT",
    "Mix",
    "Pull",
    "annealed_share",
    "balanced_weights",
    "center_loss",
    "cross_entropy",
    "draw_mix",
    "evidential_losses",
    "move_centers",
    "ordinal_targets",
    "pull_of",
    "soft_losses",
    "triplet_loss",
]
