"""Phantom brains: a small labelled image set that needs no download and no consent."""

from raymed.data.phantom.anatomy import STAGES
from raymed.data.phantom.dataset import PhantomSet, draw_phantoms, write_phantoms
from raymed.data.phantom.scanner import SITES

__all__ = ["SITES", "STAGES", "PhantomSet", "draw_phantoms", "write_phantoms"]
