"""The ways to go about each technique that `raymed compare` switches, a file a kind."""

from collections.abc import Callable, Mapping

from raymed.config.experiment import Experiment
from raymed.config.recipe import Recipe
from raymed.config.ways.architecture import architectures
from raymed.config.ways.contract import Way
from raymed.config.ways.heads import with_and_without_head
from raymed.config.ways.options import with_and_without_option
from raymed.config.ways.ordinal import with_and_without_order
from raymed.config.ways.sam import with_and_without_sam
from raymed.config.ways.schedule import standard_and_progressive

__all__ = ["WAYS", "Way"]

WAYS: Mapping[str, Callable[[Recipe, Experiment], list[Way]]] = {
    "sam": with_and_without_sam,
    "progressive": standard_and_progressive,
    "architecture": architectures,
    "evidential": with_and_without_option("evidential"),
    "prototypical": with_and_without_head("prototypical"),
    "triplet": with_and_without_option("triplet"),
    "center": with_and_without_option("center"),
    "mixup": with_and_without_option("mixup"),
    "cosine": with_and_without_head("cosine"),
    "squeeze_excite": with_and_without_option("squeeze_excite"),
    "ordinal": with_and_without_order,
}
"""By technique; each gives the ways of a recipe, the one that others are held against first."""
