"""Subgroups: columns whose groups of samples are scored apart."""

from itertools import pairwise
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, model_validator

from raymed.config.strict import RelativePath, Strict


class Subgroup(Strict):
    """A column of the manifest or of another table; a group is a value of it, or a band."""

    column: str = Field(min_length=1)
    bands: tuple[float, ...] | None = Field(
        None, min_length=1, description="rising cuts: [40, 60] is < 40, 40 to < 60 and ≥ 60"
    )
    file: RelativePath | None = Field(None, description="the table that holds the column")
    key: str | None = Field(
        None, description="column of `file` with patients, image paths or sample ids"
    )

    @model_validator(mode="after")
    def _bands_rise(self) -> Self:
        if any(low >= high for low, high in pairwise(self.bands or ())):
            raise ValueError(f"bands: {list(self.bands or ())} do not rise")
        if self.key is not None and self.file is None:
            raise ValueError("a key needs the file that it is a column of")
        return self


def _read_column(value: Any) -> Any:
    return {"column": value} if isinstance(value, str) else value


ColumnOrSubgroup = Annotated[
    Subgroup, BeforeValidator(_read_column, json_schema_input_type=str | Subgroup)
]
"""A subgroup, or in short the name of its column."""
