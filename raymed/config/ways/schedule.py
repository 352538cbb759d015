"""One phase, or several of as many epochs together."""

from raymed.config.experiment import Experiment
from raymed.config.phases import Phase, hybrid_phases, progressive_phases
from raymed.config.recipe import Recipe
from raymed.config.ways.contract import Way


def standard_and_progressive(base: Recipe, experiment: Experiment) -> list[Way]:
    """Put all epochs into one phase of all layers, at the main rate; or keep, or make, phases."""
    whole = [phase for phase in base.phases if phase.train == "all"] or base.phases
    main = max(whole, key=lambda phase: phase.epochs)
    epochs = sum(phase.epochs for phase in base.phases)
    one = main.model_copy(
        update={"train": "all", "epochs": epochs, "ratio": 1.0, "factor": None, "unfreeze": False}
    )
    standard = Way("standard", "in one phase", base.model_copy(update={"phases": (one,)}))
    progressive, reason = base.phases, ""
    if base == standard.recipe:
        progressive, reason = _progressive(base, one)
    recipe = None if reason else base.model_copy(update={"phases": progressive})
    return [standard, Way("progressive", "in phases", recipe, standard.name, reason)]


def _progressive(base: Recipe, one: Phase) -> tuple[tuple[Phase, ...], str]:
    """Divide one phase into three, a sixth, a third and a half of it long; or say why not."""
    if base.pretrained.source == "none":
        return (), "it is for pretrained weights, the recipe starts from random ones"
    if one.epochs < 3:
        return (), f"it takes three epochs or more, the recipe has {one.epochs}"
    head, discriminative = max(1, one.epochs // 6), max(1, one.epochs // 3)
    epochs = (head, discriminative, one.epochs - head - discriminative)
    if base.hybrid is None:
        return progressive_phases(one.lr, epochs), ""
    phases = progressive_phases(one.lr / one.new_layers, epochs)
    return hybrid_phases(phases, scratch=False), ""
