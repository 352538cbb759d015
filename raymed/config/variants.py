"""What `raymed compare` holds against each other: recipes that differ in one technique."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raymed.config.compare import Technique
from raymed.config.experiment import Experiment
from raymed.config.hybrid import HYBRID, Hybrid
from raymed.config.optimizer import Sam
from raymed.config.phases import Phase, cnn_phases, hybrid_phases, progressive_phases
from raymed.config.recipe import Recipe
from raymed.errors import InputError

_OPTIMIZERS = {"adamw": "AdamW", "sgd": "SGD"}
_SAMS = {"sam": "SAM", "asam": "ASAM", "looksam": "LookSAM", "msam": "MSAM"}
_RECOMMENDED = Sam(part=0.25, last=0.5)


@dataclass(frozen=True)
class Choice:
    """One way to go about a technique: a row of the comparison.

    `recipe` names the recipe that goes this way; `against` the choice of the same technique that
    it is compared with, None for that one itself.
    """

    technique: Technique
    name: str
    recipe: str
    against: str | None = None


@dataclass(frozen=True)
class LeftOut:
    """A choice that is not compared, and why."""

    technique: Technique
    name: str
    reason: str


@dataclass(frozen=True)
class Variants:
    """What is compared: choices, and by name the recipes that they need."""

    recipes: Mapping[str, Recipe]
    choices: tuple[Choice, ...]
    left_out: tuple[LeftOut, ...]

    def without(self, recipes: Mapping[str, str]) -> "Variants":
        """Leave recipes out, each for a reason, and with them the choices that need them."""
        gone = [each for each in self.choices if each.recipe in recipes]
        return Variants(
            {name: recipe for name, recipe in self.recipes.items() if name not in recipes},
            tuple(each for each in self.choices if each not in gone),
            self.left_out
            + tuple(LeftOut(each.technique, each.name, recipes[each.recipe]) for each in gone),
        )


@dataclass(frozen=True)
class _Way:
    """A choice whose recipe has no name yet; without a recipe it is left out for a reason."""

    name: str
    suffix: str  # of the recipe's name, where it is none of the experiment's
    recipe: Recipe | None
    against: str | None = None
    reason: str = ""


def derive_variants(experiment: Experiment) -> Variants:
    """Derive them from the recipe that `compare` names.

    A variant that equals a recipe of the experiment goes by its name, and so is its member. The
    ensemble is no variant of a recipe: it joins them all. Raises `InputError` where every recipe
    is a probe, which has nothing to vary.
    """
    recipes: dict[str, Recipe] = {}
    choices: list[Choice] = []
    left_out: list[LeftOut] = []
    for technique in experiment.compare.techniques:
        if technique == "ensemble":
            continue
        base = _base(experiment)
        for way in _WAYS[technique](experiment.recipes[base], experiment):
            if way.recipe is None:
                left_out.append(LeftOut(technique, way.name, way.reason))
                continue
            known = {**experiment.recipes, **recipes}
            name = _name_of(way.recipe, f"{base} {way.suffix}", known)
            recipes[name] = way.recipe
            choices.append(Choice(technique, way.name, name, way.against))
    return Variants(recipes, tuple(choices), tuple(left_out))


def _base(experiment: Experiment) -> str:
    name = experiment.compared_recipe
    if name is None:
        raise InputError(
            "compare.recipe", "every recipe is a probe", "add one that trains all layers"
        )
    return name


def _name_of(recipe: Recipe, wish: str, known: Mapping[str, Recipe]) -> str:
    for name, other in known.items():
        if other == recipe:
            return name
    while wish in known:
        wish += "'"
    return wish


def _with_and_without_sam(base: Recipe, experiment: Experiment) -> list[_Way]:
    own = (other.sam for other in _alike(base, experiment, {"sam"}))
    sam = base.sam or next((each for each in own if each is not None), _RECOMMENDED)
    plain = _OPTIMIZERS[base.optimizer.name]
    return [
        _Way(plain, "without SAM", base.model_copy(update={"sam": None})),
        _Way(_SAMS[sam.variant], "with SAM", base.model_copy(update={"sam": sam}), plain),
    ]


def _standard_and_progressive(base: Recipe, experiment: Experiment) -> list[_Way]:
    whole = [phase for phase in base.phases if phase.train == "all"] or base.phases
    main = max(whole, key=lambda phase: phase.epochs)
    epochs = sum(phase.epochs for phase in base.phases)
    one = main.model_copy(
        update={"train": "all", "epochs": epochs, "ratio": 1.0, "factor": None, "unfreeze": False}
    )
    standard = _Way("standard", "in one phase", base.model_copy(update={"phases": (one,)}))
    progressive, reason = base.phases, ""
    if base == standard.recipe:
        progressive, reason = _progressive(base, one)
    recipe = None if reason else base.model_copy(update={"phases": progressive})
    return [standard, _Way("progressive", "in phases", recipe, standard.name, reason)]


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


def _architectures(base: Recipe, experiment: Experiment) -> list[_Way]:
    alone = base if base.hybrid is None else _without_hybrid(base, experiment)
    hybrid = base if base.hybrid is not None else _with_hybrid(base, experiment)
    transformer = experiment.compare.transformer
    ways = [
        _Way(alone.model, f"as {alone.model}", alone),
        _Way(hybrid.model, f"as {hybrid.model}", hybrid, alone.model),
    ]
    if transformer is None:
        reason = "compare.transformer names none"
        return [*ways, _Way("Transformer", "", None, alone.model, reason)]
    changes = {"model": transformer.model, "pretrained": transformer.pretrained or base.pretrained}
    recipe = alone.model_copy(update=changes)
    return [*ways, _Way(transformer.model, f"as {transformer.model}", recipe, alone.model)]


def _with_hybrid(base: Recipe, experiment: Experiment) -> Recipe:
    """Put a Transformer over the CNN: the experiment's own such recipe, or the usual one."""
    for other in _alike(base, experiment, {"model", "hybrid", "phases"}):
        if other.model == f"{HYBRID}{base.model}" and _epochs(other) == _epochs(base):
            return other
    scratch = base.pretrained.source == "none"
    phases = hybrid_phases(base.phases, scratch=scratch)
    changes = {"model": f"{HYBRID}{base.model}", "hybrid": Hybrid(), "phases": phases}
    return base.model_copy(update=changes)


def _without_hybrid(base: Recipe, experiment: Experiment) -> Recipe:
    """Take the CNN alone: the experiment's own such recipe, or the CNN at the rates it has here."""
    for other in _alike(base, experiment, {"model", "hybrid", "phases"}):
        if other.model == base.timm_model and _epochs(other) == _epochs(base):
            return other
    changes = {"model": base.timm_model, "hybrid": None, "phases": cnn_phases(base.phases)}
    return base.model_copy(update=changes)


def _alike(base: Recipe, experiment: Experiment, free: set[str]) -> list[Recipe]:
    """List the experiment's recipes that equal `base` but for the fields in `free`."""

    def fixed(recipe: Recipe) -> dict[str, Any]:
        return recipe.model_dump(exclude=free)

    return [other for other in experiment.recipes.values() if fixed(other) == fixed(base)]


def _epochs(recipe: Recipe) -> int:
    return sum(phase.epochs for phase in recipe.phases)


_WAYS: Mapping[str, Callable[[Recipe, Experiment], list[_Way]]] = {
    "sam": _with_and_without_sam,
    "progressive": _standard_and_progressive,
    "architecture": _architectures,
}
