"""Parts that a recipe has or has not: evidence, losses of features, mixing, channel weights."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from raymed.config.experiment import Experiment
from raymed.config.losses import Center, Evidential, Triplet
from raymed.config.mixup import Mixup
from raymed.config.recipe import Recipe
from raymed.config.squeeze_excite import SqueezeExcite
from raymed.config.strict import Strict
from raymed.config.ways.contract import Way, alike, changed_way


@dataclass(frozen=True)
class _Option:
    """What a recipe without it is called, and by name each kind of it with its usual settings."""

    without: str
    kinds: Mapping[str, Strict]


_OPTIONS = {
    "evidential": _Option("cross-entropy", {"evidential": Evidential()}),
    "triplet": _Option("without triplet", {"triplet": Triplet()}),
    "center": _Option("without center", {"center": Center()}),
    "mixup": _Option(
        "without mixup",
        {
            "manifold mixup": Mixup(kind="manifold"),
            "input mixup": Mixup(kind="input"),
            "cutmix": Mixup(kind="cutmix"),
        },
    ),
    "squeeze_excite": _Option("without squeeze-excite", {"squeeze-excite": SqueezeExcite()}),
}


def with_and_without_option(field: str) -> Callable[[Recipe, Experiment], list[Way]]:
    """Take the field of a recipe away, and give it each kind of the option.

    Its settings are those of the recipe, or of the experiment's own recipe that is the same but
    for this field, or else the usual ones.
    """
    option = _OPTIONS[field]

    def ways(base: Recipe, experiment: Experiment) -> list[Way]:
        known = [base, *alike(base, experiment, {field})]
        own = [found for each in known if (found := getattr(each, field)) is not None]
        without = changed_way(option.without, f"without {field}", base, {field: None})
        return [
            without,
            *(
                changed_way(name, f"with {name}", base, {field: _own(usual, own)}, without.name)
                for name, usual in option.kinds.items()
            ),
        ]

    return ways


def _own(usual: Strict, known: list[Strict]) -> Strict:
    """Take the first settings of the same kind."""
    kind = getattr(usual, "kind", None)
    return next((each for each in known if getattr(each, "kind", None) == kind), usual)
