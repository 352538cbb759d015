"""Which recipes use a technique."""

from collections.abc import Callable, Mapping

from raymed.config.composition import has_head
from raymed.config.recipe import Recipe


def _has(field: str) -> Callable[[Recipe], bool]:
    return lambda recipe: getattr(recipe, field) is not None


USES: Mapping[str, Callable[[Recipe], bool]] = {
    "evidential": _has("evidential"),
    "prototypical": has_head("prototypical"),
    "triplet": _has("triplet"),
    "center": _has("center"),
    "mixup": _has("mixup"),
    "cosine": has_head("cosine"),
    "squeeze_excite": _has("squeeze_excite"),
    "ordinal": lambda recipe: recipe.wants_order is not None,
}
"""By technique, of those that a stack is fitted with and without, whether a recipe uses it."""
