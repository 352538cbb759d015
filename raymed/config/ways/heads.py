"""A head in the place of the linear one."""

from collections.abc import Callable

from raymed.config.experiment import Experiment
from raymed.config.head import Head, Kind
from raymed.config.recipe import Recipe
from raymed.config.ways.contract import Way, alike, changed_way


def with_and_without_head(kind: Kind) -> Callable[[Recipe, Experiment], list[Way]]:
    """Hold a recipe's own head, or the linear one where it is of this kind, against this kind."""

    def ways(base: Recipe, experiment: Experiment) -> list[Way]:
        plain = Head() if base.head.kind == kind else base.head
        known = (each.head for each in [base, *alike(base, experiment, {"head"})])
        head = next((each for each in known if each.kind == kind), Head(kind=kind))
        rival = f"{plain.kind} head"
        without = changed_way(rival, f"with {rival}", base, {"head": plain})
        reason = _too_many_classes(base, head, experiment)
        if reason:
            return [without, Way(f"{kind} head", "", None, rival, reason)]
        changes = {"head": head}
        return [without, changed_way(f"{kind} head", f"with {kind} head", base, changes, rival)]

    return ways


def _too_many_classes(base: Recipe, head: Head, experiment: Experiment) -> str:
    """Say so where an episode has no images left to ask about, as far as classes are declared."""
    classes = len(experiment.data.classes or ())
    if head.kind != "prototypical" or base.batch_size // max(1, classes) > head.shots:
        return ""
    return (
        f"an episode of {base.batch_size} images has not {head.shots} + 1 of each of {classes} "
        "classes: lower head.shots or raise batch_size"
    )
