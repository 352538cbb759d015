"""Two ways to tell a model that its classes are ordered stages."""

from raymed.config.experiment import Experiment
from raymed.config.head import Head
from raymed.config.losses import OrdinalSmoothing
from raymed.config.recipe import Recipe
from raymed.config.ways.contract import Way, alike, changed_way

_PLAIN, _SMOOTHED, _CORN = "without order", "ordinal smoothing", "corn head"


def with_and_without_order(base: Recipe, experiment: Experiment) -> list[Way]:
    """Hold soft targets and a head of conditional probabilities against a recipe of neither."""
    head = Head() if base.head.kind == "corn" else base.head
    plain = {"ordinal_smoothing": None, "head": head}
    first = changed_way(_PLAIN, _PLAIN, base, plain)
    if not experiment.data.ordinal:
        reason = "the classes are not declared to be ordered stages: data.ordinal is false"
        return [first, *(Way(name, "", None, _PLAIN, reason) for name in (_SMOOTHED, _CORN))]
    known = [base, *alike(base, experiment, {"ordinal_smoothing"})]
    own = (each.ordinal_smoothing for each in known)
    smoothing = next((each for each in own if each is not None), OrdinalSmoothing())
    soft, corn = plain | {"ordinal_smoothing": smoothing}, plain | {"head": Head(kind="corn")}
    return [
        first,
        changed_way(_SMOOTHED, f"with {_SMOOTHED}", base, soft, _PLAIN),
        changed_way(_CORN, f"with {_CORN}", base, corn, _PLAIN),
    ]
