"""Members that fit a set's size, the machine, and the weights that can be had."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from raymed.pipeline.proposing.entries import Entry
from raymed.pipeline.proposing.machine import Machine
from raymed.pipeline.proposing.weights import Where

_FEW_PEOPLE, _MANY_PEOPLE = 50, 500
_FEW_IMAGES, _MANY_IMAGES = 1_000, 10_000
_PROBED = (128, 224)
_TUNED = {"cpu": (64, 96), "gpu": (128, 224)}
_SCRATCH = {"cpu": (32, 96), "gpu": (32, 224)}
_STEP = 32
_SAMPLES_PER_PATIENT = 8
_STEPS, _FEWEST_EPOCHS, _MOST_EPOCHS = 600, 5, 20

_FROZEN = {"mobilenetv2_100": "mobilenetv2", "tf_efficientnet_lite0": "lite0"}
_LARGE = {"convnext_tiny": "convnext"}
_TUNING = (
    {"train": "head", "epochs": 1, "lr": 0.003},
    {"train": "all", "epochs": 5, "lr": 0.0001, "ratio": 0.1, "warmup": 0.1},
)
_BETTER = """\
From scratch: neither timm's cache nor its hub gives weights of {models} here. Where they can be \
had, a probe is the better first member (without a network: {{file: WEIGHTS.safetensors}}):
  probe:
    model: {model}
    pretrained: hub
    size: {size}
    phases: [{{train: head, epochs: 10, lr: 0.003}}]"""


@dataclass(frozen=True)
class SetSize:
    """What members are chosen by.

    `people` are patients, or samples where nobody is known; `side` is the median of the images'
    longer sides, in pixels.
    """

    images: int
    people: int
    folds: int
    side: int

    @property
    def drawn(self) -> bool:
        """Whether a person has so many images that an epoch takes some of them only."""
        return self.images > 2 * _SAMPLES_PER_PATIENT * self.people

    @property
    def learned_from(self) -> int:
        """How many images an epoch of a fold's model has."""
        images = min(self.images, _SAMPLES_PER_PATIENT * self.people) if self.drawn else self.images
        return images * (self.folds - 1) // self.folds


def models_to_look_for(machine: Machine) -> tuple[str, ...]:
    """Name the models whose weights would be used here."""
    return (*_FROZEN, *_LARGE) if machine.gpus else tuple(_FROZEN)


def choose_members(
    size: SetSize, machine: Machine, weights: Mapping[str, Where]
) -> tuple[Entry, Entry]:
    """Choose `defaults` and `recipes`, each part with the reason why in a comment.

    With weights: probes, and from 50 people on models that are fine-tuned. Without: small models
    from scratch, for random features are no ground for a probe.
    """
    batch = _batch(size, machine)
    defaults = [batch]
    if size.drawn:
        why = (
            f"{size.images} images of {size.people} people repeat each other: so many of each an "
            "epoch, drawn anew"
        )
        defaults.append(Entry("samples_per_patient", _SAMPLES_PER_PATIENT, why))
    if machine.gpus:
        defaults.append(Entry("precision", "bf16", "half the memory on the GPU"))
    at_hand = [
        name for name in models_to_look_for(machine) if weights.get(name) in ("cache", "hub")
    ]
    if any(name in _FROZEN for name in at_hand):
        where = "from timm's hub" if "hub" in weights.values() else "in timm's cache"
        defaults.append(Entry("pretrained", "hub", f"weights can be had here, {where}"))
        recipes = list(_pretrained(size, machine, at_hand))
    else:
        models = " and ".join(models_to_look_for(machine))
        probed = _fit(size.side, _PROBED)
        better = _BETTER.format(models=models, model=models_to_look_for(machine)[0], size=probed)
        defaults.append(Entry("pretrained", "none", better))
        recipes = list(_from_scratch(size, machine, batch.value))
    return Entry("defaults", defaults, "What all recipes share."), Entry("recipes", recipes)


def _fit(side: int, limits: tuple[int, int]) -> int:
    """Round a side up to a multiple of 32 within limits."""
    least, most = limits
    return min(most, max(least, math.ceil(side / _STEP) * _STEP))


def _sized(size: SetSize, limits: tuple[int, int], cap: str) -> tuple[int, str]:
    fitting = _fit(size.side, limits)
    if fitting < size.side:
        return fitting, f"the images' longer side is {size.side} px in the median; {cap}"
    return fitting, f"near the images' own longer side, {size.side} px in the median"


def _batch(size: SetSize, machine: Machine) -> Entry:
    if machine.gpus and size.learned_from >= 64 * 20:
        return Entry("batch_size", 64, f"a GPU, and {size.learned_from} images an epoch")
    batch = next(
        batch for batch in (32, 16, 8, 4, 2) if size.learned_from >= 8 * batch or batch == 2
    )
    return Entry("batch_size", batch, f"{size.learned_from} images an epoch of a fold's training")


def _kind(machine: Machine) -> str:
    return "gpu" if machine.gpus else "cpu"


def _recipe(name: str, why: str, **settings: Any) -> Entry:
    return Entry(name, [Entry(key, value) for key, value in settings.items()], why)


def _pretrained(size: SetSize, machine: Machine, models: list[str]) -> Iterator[Entry]:
    probed, why = _sized(size, _PROBED, f"{_PROBED[1]} px is what these models learned on")
    for model in [name for name in models if name in _FROZEN]:
        text = f"A probe: the head on cached features of a frozen backbone. Size: {why}."
        head = {"train": "head", "epochs": 10, "lr": 0.003}
        whole: dict[str, Any] = {"samples_per_patient": None} if size.drawn else {}
        yield _recipe(
            f"probe-{_FROZEN[model]}", text, model=model, size=probed, **whole, phases=[head]
        )
    if size.people < _FEW_PEOPLE:
        return
    kind = _kind(machine)
    most = _TUNED[kind][1]
    tuned, why = _sized(
        size, _TUNED[kind], f"at most {most} px where all layers learn on a {kind.upper()}"
    )
    names = {**_LARGE, **_FROZEN}
    model = next((name for name in names if name in models), models[0])
    text = f"Fine-tuned, the head first: {size.people} people. Size: {why}."
    settings: dict[str, Any] = {"model": model, "size": tuned, "phases": list(_TUNING)}
    yield _recipe(f"tuned-{names[model]}", text, **settings)
    if size.people >= _MANY_PEOPLE:
        sam = {"rho": 0.005, "part": 0.25, "last": 0.5}
        text = f"The same with SAM in the last half: {size.people} people."
        yield _recipe(f"sam-{names[model]}", text, **settings, sam=sam)


def _from_scratch(size: SetSize, machine: Machine, batch: int) -> Iterator[Entry]:
    kind = _kind(machine)
    most = _SCRATCH[kind][1]
    fitting, why = _sized(
        size, _SCRATCH[kind], f"at most {most} px where all layers learn on a {kind.upper()}"
    )
    steps = max(1, size.learned_from // batch)
    epochs = min(_MOST_EPOCHS, max(_FEWEST_EPOCHS, math.ceil(_STEPS / steps)))
    few = size.images < _FEW_IMAGES
    models = {
        "cnn": ("resnet10t", "A small CNN."),
        "convnext": (
            "test_convnext" if few else "convnext_atto",
            f"Of another kind, so that it errs elsewhere; {'tiny' if few else 'small'}: "
            f"{size.images} images.",
        ),
    }
    if size.images >= _MANY_IMAGES or (machine.gpus and not few):
        models["resnet18"] = ("resnet18", f"A larger one, for {size.images} images.")
    phase = {"train": "all", "epochs": epochs, "lr": 0.001, "warmup": 0.1}
    for name, (model, text) in models.items():
        told = f"{text} Size: {why}. {epochs} epochs of {steps} steps."
        yield _recipe(name, told, model=model, size=fitting, phases=[phase])
