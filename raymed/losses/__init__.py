"""Losses."""

from raymed.losses.cross_entropy import balanced_weights, cross_entropy

__all__ = ["balanced_weights", "cross_entropy"]
