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
        changes = {"head": head}
        return [without, changed_way(f"{kind} head", f"with {kind} head", base, changes, rival)]

    return ways
