"""The usual search space of an architecture: rates, SAM's rho, weight decay."""

import math
from typing import Any, Literal

from raymed.config.optimizer import Sam
from raymed.config.phases import Phase
from raymed.config.recipe import Recipe

Family = Literal["cnn", "transformer", "hybrid"]

_TRANSFORMERS = (
    "aimv2", "beit", "cait", "convit", "crossvit", "davit", "deit", "eva", "flexivit", "gcvit",
    "hiera", "levit", "maxvit", "mobilevit", "mvit", "naflexvit", "nest", "pit_", "pvt", "samvit",
    "swin", "test_vit", "tiny_vit", "tnt", "twins", "vit", "volo", "xcit",
)  # fmt: skip
_TRANSFORMERS_WITH_BATCHNORM = ("levit", "maxvit", "mobilevit", "tiny_vit", "volo", "xcit")
_CNNS_WITHOUT_BATCHNORM = ("convnext", "dm_nfnet", "eca_nfnet", "nfnet")

_DECAY = {"cnn": (1e-4, 0.1), "transformer": (1e-3, 0.3), "hybrid": (1e-3, 0.3)}


def family_of(recipe: Recipe) -> Family:
    """Tell what kind of network a recipe trains, by its model's name."""
    if recipe.hybrid is not None:
        return "hybrid"
    return "transformer" if recipe.timm_model.startswith(_TRANSFORMERS) else "cnn"


def stands_on_frozen_batchnorm(recipe: Recipe) -> bool:
    """Tell whether a recipe fine-tunes through BatchNorm whose statistics stand still.

    SAM's usual rho is then ten times too long: docs/techniques/sam.md.
    """
    model = recipe.timm_model
    if model.startswith(_TRANSFORMERS):
        has_some = model.startswith(_TRANSFORMERS_WITH_BATCHNORM)
    else:
        has_some = not model.startswith(_CNNS_WITHOUT_BATCHNORM)
    return recipe.freeze_batchnorm and has_some


def default_tree(recipe: Recipe, *, conditional: bool = True) -> dict[str, Any]:
    """Give the space that is searched where an experiment names none, as `search.space` has it.

    It always contains the recipe itself. What the recipe has switched off, a rho or a weight decay
    of 0, stays off; but a recipe that trains a backbone without SAM is tried with and without it,
    unless `conditional` is false.
    """
    tree: dict[str, Any] = {
        "phases": {str(index): _phase(phase) for index, phase in enumerate(recipe.phases)}
    }
    decay = recipe.optimizer.weight_decay
    if decay > 0:
        tree["optimizer"] = {"weight_decay": _range(*_DECAY[family_of(recipe)], own=decay)}
    if recipe.sam is not None:
        if recipe.sam.rho > 0:
            tree["sam"] = {"rho": _rho(recipe, recipe.sam)}
    elif conditional and not recipe.is_probe:
        part = 1.0 if recipe.head.kind == "prototypical" else 0.25  # an episode is never cut
        cheap = {"rho": _rho(recipe, None), "part": part, "last": 0.5}
        tree["sam"] = {"choices": ["none", cheap]}
    return tree


def _phase(phase: Phase) -> dict[str, Any]:
    """Vary a phase's rate within a decade, its own in the middle, and how rates fall."""
    side = math.sqrt(10)
    tree: dict[str, Any] = {"lr": _range(phase.lr / side, phase.lr * side, own=phase.lr)}
    if phase.ratio < 1:
        tree["ratio"] = _range(phase.ratio / side, min(1.0, phase.ratio * side), own=phase.ratio)
    if phase.factor is not None and phase.factor < 1:
        tree["factor"] = _range(phase.factor**2, math.sqrt(phase.factor), own=phase.factor)
    return tree


def usual_rho(recipe: Recipe, variant: str = "sam") -> float:
    """Give the rho to start from: a variant's own, a tenth of it on frozen BatchNorm."""
    rho = Sam.model_validate({"variant": variant}).rho
    return rho / 10 if stands_on_frozen_batchnorm(recipe) else rho


def _rho(recipe: Recipe, sam: Sam | None) -> dict[str, Any]:
    usual = usual_rho(recipe, sam.variant if sam is not None else "sam")
    return _range(usual / 5, usual * 5, own=sam.rho if sam is not None else usual)


def _range(low: float, high: float, *, own: float) -> dict[str, Any]:
    """Write a log range in three digits that contains the recipe's own value."""
    low, high = float(f"{low:.3g}"), float(f"{high:.3g}")
    return {"low": min(low, own), "high": max(high, own), "log": True}
