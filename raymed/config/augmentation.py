"""Random changes of training images: their amounts, and usual ones a modality."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from raymed.config.strict import Strict
from raymed.errors import did_you_mean

Preset = Literal["none", "mri", "x-ray", "ct", "ultrasound", "histology", "dermoscopy", "fundus"]

_AMOUNTS: Mapping[str, float] = {
    "rotate": 180.0,
    "shift": 0.5,
    "scale": 0.9,
    "brightness": 1.0,
    "contrast": 0.9,
    "gamma": 3.0,
    "colour": 0.9,
    "bias": 0.9,
    "noise": 1.0,
    "blur": 0.1,
    "elastic": 0.03,
}
"""What `strength` multiplies, and where it stops."""

_SINCE_SCHEMA_2 = ("gamma", "colour", "bias", "blur", "elastic")
"""Amounts that came later: where one is 0, recipes mean the models that they meant before."""


class Augmentation(Strict):
    """Random changes of a training image; each sample draws its own."""

    preset: Preset | None = Field(
        None, description="amounts that are usual for a modality; resolved when read"
    )
    strength: float = Field(1.0, ge=0, le=5, description="multiplies every amount; 0: no change")
    rotate: float = Field(10.0, ge=0, le=180, description="degrees, uniform in +-rotate")
    shift: float = Field(0.05, ge=0, le=0.5, description="share of the side, in +-shift")
    scale: float = Field(0.1, ge=0, lt=1, description="zoom, uniform in 1 +- scale")
    horizontal_flip: bool = Field(True, description="mirror half of the samples left to right")
    vertical_flip: bool = Field(False, description="mirror half of the samples top to bottom")
    elastic: float = Field(
        0.0, ge=0, le=0.03, description="a smooth deformation by up to this share of the side"
    )
    outside: Literal["black", "mirror"] = Field(
        "black", description="what moves in from outside the image"
    )
    brightness: float = Field(0.1, ge=0, le=1, description="added, uniform in +-brightness")
    contrast: float = Field(0.1, ge=0, lt=1, description="factor, uniform in 1 +- contrast")
    gamma: float = Field(
        0.0,
        ge=0,
        le=3,
        description="exponent from 1 / (1 + gamma) to 1 + gamma, uniform in its log",
    )
    colour: float = Field(
        0.0, ge=0, le=0.9, description="exponent of each channel apart, uniform in 1 +- colour"
    )
    bias: float = Field(
        0.0, ge=0, le=0.9, description="a smooth factor over the image, within 1 +- bias, mean 1"
    )
    blur: float = Field(
        0.0, ge=0, le=0.1, description="smear along a line of up to this share of the side"
    )
    noise: float = Field(0.0, ge=0, le=1, description="standard deviation of noise")
    noise_kind: Literal["gaussian", "rician", "speckle"] = Field(
        "gaussian", description="rician: of magnitude MRI; speckle: noise times the value"
    )

    @model_validator(mode="before")
    @classmethod
    def _spread_preset(cls, values: Any) -> Any:
        if not isinstance(values, Mapping) or values.get("preset") is None:
            return values
        own = dict(values)
        name = own.pop("preset")
        if name not in PRESETS:
            known = ", ".join(PRESETS)
            raise ValueError(f"no preset {name!r}; {did_you_mean(str(name), PRESETS) or known}")
        return {**PRESETS[name], **own}

    def amount(self, name: str) -> float:
        """Give an amount as it is drawn: times `strength`, up to where it makes sense."""
        value: float = getattr(self, name)
        return min(value * self.strength, max(value, _AMOUNTS[name]))

    @property
    def flip_share(self) -> float:
        """The share of samples that a flip mirrors: half, or less at less than full strength."""
        return 0.5 * min(1.0, self.strength)

    @property
    def moves(self) -> bool:
        """Whether it turns, shifts, zooms, flips or deforms."""
        flips = self.flip_share > 0 and (self.horizontal_flip or self.vertical_flip)
        return flips or any(self.amount(name) for name in ("rotate", "shift", "scale", "elastic"))

    @property
    def is_off(self) -> bool:
        """Whether it changes nothing."""
        return not self.moves and not any(self.amount(name) for name in _AMOUNTS)

    def meaning(self) -> dict[str, Any]:
        """Give what decides the images that come out, for a recipe's identity.

        Fields that came after schema version 2 are left out where they change nothing, so that
        members trained before keep their ids; what never moves an image is not resampled since,
        and says so.
        """
        neutral = {"preset": None, "strength": 1.0, "outside": "black", "noise_kind": "gaussian"}
        neutral |= dict.fromkeys(_SINCE_SCHEMA_2, 0.0)
        fields = self.model_dump(mode="json")
        kept = {key: value for key, value in fields.items() if value != neutral.get(key, ...)}
        return kept if self.moves else {**kept, "resampled": False}


def _no_change(**changes: Any) -> Mapping[str, Any]:
    still = dict.fromkeys(_AMOUNTS, 0.0) | {"horizontal_flip": False, "vertical_flip": False}
    return still | changes


PRESETS: Mapping[str, Mapping[str, Any]] = {
    "none": _no_change(),
    "mri": _no_change(
        rotate=10,
        shift=0.05,
        scale=0.1,
        brightness=0.05,
        contrast=0.2,
        gamma=0.3,
        bias=0.2,
        blur=0.01,
        noise=0.03,
        noise_kind="rician",
    ),
    "x-ray": _no_change(
        rotate=7, shift=0.05, scale=0.1, brightness=0.1, contrast=0.2, gamma=0.3, noise=0.02
    ),
    "ct": _no_change(rotate=10, shift=0.05, scale=0.1, brightness=0.05, contrast=0.1, noise=0.03),
    "ultrasound": _no_change(
        rotate=10,
        shift=0.05,
        scale=0.1,
        horizontal_flip=True,
        brightness=0.05,
        contrast=0.2,
        gamma=0.3,
        bias=0.2,
        noise=0.1,
        noise_kind="speckle",
    ),
    "histology": _no_change(
        rotate=180,
        shift=0.05,
        scale=0.1,
        horizontal_flip=True,
        vertical_flip=True,
        elastic=0.01,
        outside="mirror",
        brightness=0.05,
        contrast=0.1,
        colour=0.2,
        blur=0.01,
    ),
    "dermoscopy": _no_change(
        rotate=180,
        shift=0.05,
        scale=0.2,
        horizontal_flip=True,
        vertical_flip=True,
        outside="mirror",
        brightness=0.1,
        contrast=0.1,
        colour=0.1,
    ),
    "fundus": _no_change(
        rotate=15,
        shift=0.05,
        scale=0.1,
        horizontal_flip=True,
        brightness=0.05,
        contrast=0.2,
        gamma=0.2,
        colour=0.05,
        bias=0.2,
        blur=0.005,
        noise=0.01,
    ),
}
"""Amounts a modality; docs/augmentation.md says why each."""


def preset_of(augmentation: Augmentation) -> str | None:
    """Name the preset that has exactly these amounts; None where none has."""
    for name, amounts in PRESETS.items():
        if Augmentation(**amounts) == augmentation:
            return name
    return None


def _read_word(value: Any) -> Any:
    if value == "none":
        return None
    return {"preset": value} if isinstance(value, str) else value


AugmentationField = Annotated[
    Augmentation | None,
    BeforeValidator(_read_word, json_schema_input_type=Preset | Augmentation | None),
]
"""As a configuration writes it: a preset's word, `none`, or fields over a preset or our own."""
