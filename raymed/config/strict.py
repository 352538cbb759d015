"""The ground every part of an experiment stands on: frozen, typed, unknown keys refused."""

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, ValidationInfo


class Strict(BaseModel):
    """A part of an experiment: immutable, and any key it does not know is an error."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def resolve_path(path: Path, info: ValidationInfo) -> Path:
    """Start a relative path at the folder that validation is told of."""
    folder: Path | None = (info.context or {}).get("folder")
    path = path.expanduser()
    return (folder / path).resolve() if folder is not None else path


RelativePath = Annotated[Path, AfterValidator(resolve_path)]
"""A path that, when relative, starts at the folder of the configuration file."""


def none_word_or(kind: Any) -> BeforeValidator:
    """Read the YAML word `none` as no value, else as `kind`; the JSON Schema says so too."""
    return BeforeValidator(
        lambda value: None if value == "none" else value,
        json_schema_input_type=Literal["none"] | kind | None,
    )
