"""The CNN, a hybrid over it, a Transformer."""

from raymed.config.experiment import Experiment
from raymed.config.hybrid import HYBRID, Hybrid
from raymed.config.phases import cnn_phases, hybrid_phases
from raymed.config.recipe import Recipe
from raymed.config.ways.contract import Way, alike, epochs_of


def architectures(base: Recipe, experiment: Experiment) -> list[Way]:
    """Take the CNN by itself, a hybrid over it, and the Transformer that `compare` names."""
    alone = base if base.hybrid is None else _without_hybrid(base, experiment)
    hybrid = base if base.hybrid is not None else _with_hybrid(base, experiment)
    transformer = experiment.compare.transformer
    ways = [
        Way(alone.model, f"as {alone.model}", alone),
        Way(hybrid.model, f"as {hybrid.model}", hybrid, alone.model),
    ]
    if transformer is None:
        reason = "compare.transformer names none"
        return [*ways, Way("Transformer", "", None, alone.model, reason)]
    changes = {"model": transformer.model, "pretrained": transformer.pretrained or base.pretrained}
    recipe = alone.model_copy(update=changes)
    return [*ways, Way(transformer.model, f"as {transformer.model}", recipe, alone.model)]


def _with_hybrid(base: Recipe, experiment: Experiment) -> Recipe:
    """Put a Transformer over the CNN: the experiment's own such recipe, or the usual one."""
    for other in alike(base, experiment, {"model", "hybrid", "phases"}):
        if other.model == f"{HYBRID}{base.model}" and epochs_of(other) == epochs_of(base):
            return other
    scratch = base.pretrained.source == "none"
    phases = hybrid_phases(base.phases, scratch=scratch)
    changes = {"model": f"{HYBRID}{base.model}", "hybrid": Hybrid(), "phases": phases}
    return base.model_copy(update=changes)


def _without_hybrid(base: Recipe, experiment: Experiment) -> Recipe:
    """Take the CNN alone: the experiment's own such recipe, or the CNN at the rates it has here."""
    for other in alike(base, experiment, {"model", "hybrid", "phases"}):
        if other.model == base.timm_model and epochs_of(other) == epochs_of(base):
            return other
    changes = {"model": base.timm_model, "hybrid": None, "phases": cnn_phases(base.phases)}
    return base.model_copy(update=changes)
