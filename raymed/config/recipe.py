"""A recipe: everything that decides how one model is trained."""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from raymed.config.augmentation import Augmentation, AugmentationField
from raymed.config.composition import first_clash
from raymed.config.head import Head, HeadField
from raymed.config.hybrid import HYBRID, Hybrid
from raymed.config.losses import Center, Evidential, OrdinalSmoothing, Triplet
from raymed.config.mixup import Mixup
from raymed.config.optimizer import Optimizer, Sam
from raymed.config.phases import Phase, share_budget, usual_phases
from raymed.config.squeeze_excite import SqueezeExcite
from raymed.config.strict import RelativePath, Strict, none_word_or

SCHEMA_VERSION = 2
"""Part of every member's identity: raise it when the same recipe starts to mean another model."""


_OPTIONS = (
    "ordinal_smoothing",
    "head",
    "evidential",
    "triplet",
    "center",
    "mixup",
    "squeeze_excite",
)


class Pretrained(Strict):
    """Where a backbone's first weights come from."""

    source: Literal["hub", "none", "file"]
    file: RelativePath | None = Field(None, description="a .pth or .safetensors state dict")

    @model_validator(mode="after")
    def _file_goes_with_file(self) -> Self:
        if (self.source == "file") != (self.file is not None):
            raise ValueError("give hub, none or {file: PATH}")
        return self


def _read_pretrained(value: Any) -> Any:
    if isinstance(value, str):
        return {"source": value}
    if isinstance(value, dict) and set(value) == {"file"}:
        return {"source": "file", **value}
    return value


PretrainedField = Annotated[
    Pretrained,
    BeforeValidator(
        _read_pretrained,
        json_schema_input_type=Literal["hub", "none"] | dict[Literal["file"], str] | Pretrained,
    ),
]
"""As a configuration writes it: a word, or the file."""


class Recipe(Strict):
    """How one model is trained; frozen and hashable in YAML, the same on every fold."""

    model: str = Field(description="a timm model by name, or hybrid/NAME over its feature map")
    hybrid: Hybrid | None = Field(None, description="only with model: hybrid/NAME")
    pretrained: PretrainedField = Pretrained(source="hub")
    size: int = Field(224, ge=16, le=2048, description="side of the square input, pixels")
    batch_size: int = Field(32, ge=2, le=4096)
    phases: tuple[Phase, ...] = Field(min_length=1)
    budget: int | None = Field(
        None, ge=1, description="epochs that phases in percent share; resolved when read"
    )
    optimizer: Optimizer = Optimizer()
    sam: Annotated[Sam | None, none_word_or(Sam)] = None
    class_weights: Annotated[Literal["balanced"] | None, none_word_or(Literal["balanced"])] = Field(
        None, description="balanced: a class's loss weighs inversely to its training samples"
    )
    label_smoothing: float = Field(0.0, ge=0, lt=1)
    ordinal_smoothing: Annotated[OrdinalSmoothing | None, none_word_or(OrdinalSmoothing)] = None
    head: HeadField = Head()
    evidential: Annotated[Evidential | None, none_word_or(Evidential)] = None
    triplet: Annotated[Triplet | None, none_word_or(Triplet)] = None
    center: Annotated[Center | None, none_word_or(Center)] = None
    mixup: Annotated[Mixup | None, none_word_or(Mixup)] = None
    squeeze_excite: Annotated[SqueezeExcite | None, none_word_or(SqueezeExcite)] = None
    dropout: float = Field(0.0, ge=0, lt=1, description="on the pooled features")
    freeze_batchnorm: bool = Field(description="default: frozen when the backbone is pretrained")
    samples_per_patient: int | None = Field(
        None, ge=1, description="drawn anew each epoch; default: all of a patient's samples"
    )
    workers: int = Field(
        1, ge=1, le=1024, description="processes that share each batch (DDP); a probe takes one"
    )
    min_workers: int | None = Field(
        None, ge=1, description="go on with so few where nodes are lost; default: all of `workers`"
    )
    precision: Literal["fp32", "bf16"] = "fp32"
    augmentation: AugmentationField = Augmentation()

    @model_validator(mode="before")
    @classmethod
    def _fill_what_depends_on_pretrained(cls, values: Any) -> Any:
        if not isinstance(values, dict):
            return values
        values = dict(values)
        weights = _read_pretrained(values.get("pretrained"))
        source = weights.get("source") if isinstance(weights, dict) else weights
        scratch = getattr(source, "source", source) == "none"
        hybrid = str(values.get("model")).startswith(HYBRID)
        if hybrid and values.get("hybrid") is None:
            values["hybrid"] = {}
        values.setdefault("phases", usual_phases(scratch=scratch, hybrid=hybrid))
        values["phases"] = share_budget(values["phases"], values.pop("budget", None))
        values.setdefault("freeze_batchnorm", not scratch)
        if _trains_head_only(values["phases"]) and not hybrid:
            values.setdefault("augmentation", None)
        return values

    @model_validator(mode="after")
    def _parts_fit_together(self) -> Self:
        if self.hybrid is not None and not self.model.startswith(HYBRID):
            raise ValueError(f"hybrid is for model: {HYBRID}NAME, this is {self.model}")
        ours = Phase.model_fields["new_layers"].default
        if self.hybrid is None and any(phase.new_layers != ours for phase in self.phases):
            raise ValueError(f"new_layers is for model: {HYBRID}NAME, this is {self.model}")
        if self.is_probe and self.augmentation is not None:
            raise ValueError("a probe's features are computed once: set augmentation: none")
        if self.is_probe and self.workers > 1:
            raise ValueError("a probe trains its head alone: set workers: 1")
        if self.fewest_workers > self.workers:
            raise ValueError(f"min_workers {self.min_workers} is above workers {self.workers}")
        if self.sam is not None and self.sam.variant == "msam" and not self._has_momentum:
            raise ValueError("msam climbs along the momentum: set optimizer.momentum above 0")
        if self.batch_size < 2 * self.workers:
            raise ValueError(
                f"batch_size {self.batch_size} gives {self.workers} workers less than two samples "
                "each: raise batch_size or lower workers"
            )
        clash = first_clash(self)
        if clash is not None:
            raise ValueError(clash)
        return self

    @property
    def _has_momentum(self) -> bool:
        return self.optimizer.name == "adamw" or self.optimizer.momentum > 0

    def meaning(self) -> dict[str, Any]:
        """Give what decides the model, in JSON's types, for identities.

        An option that is not taken is left out: recipes written before there was one mean the same.
        So is `min_workers`, which may change in a build that lost its nodes.
        """
        fields = type(self).model_fields
        off = {name for name in _OPTIONS if getattr(self, name) == fields[name].default}
        content = self.model_dump(mode="json", exclude=off | {"min_workers"})
        if self.augmentation is not None:
            content["augmentation"] = self.augmentation.meaning()
        return content

    @property
    def fewest_workers(self) -> int:
        """How few processes may share a batch."""
        return self.workers if self.min_workers is None else self.min_workers

    @property
    def is_probe(self) -> bool:
        """Whether only the head is ever trained, so that features can be computed once.

        Never so in a hybrid: its head phases train its new layers too.
        """
        return self.hybrid is None and all(phase.train == "head" for phase in self.phases)

    @property
    def wants_order(self) -> str | None:
        """What of it takes the classes for ordered stages; None where nothing does."""
        if self.ordinal_smoothing is not None:
            return "ordinal_smoothing"
        return "head: corn" if self.head.kind == "corn" else None

    @property
    def timm_model(self) -> str:
        """The name of the timm model; of a hybrid, that of its CNN."""
        return self.model.removeprefix(HYBRID)


def _trains_head_only(phases: Any) -> bool:
    return isinstance(phases, list | tuple) and all(
        (phase.get("train") if isinstance(phase, dict) else getattr(phase, "train", None)) == "head"
        for phase in phases
    )
