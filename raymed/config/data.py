"""What the images are, who they belong to, and how they are divided."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from raymed.config.strict import RelativePath, Strict


class Patients(Strict):
    """Where a sample's patient is read: a column, another table, a path pattern, or nowhere."""

    known: bool = Field(True, description="false: `patients: none`, leakage is not excluded")
    recovered: bool = Field(
        False, description="`patients: recovered`: the groups that the audit finds from pixels"
    )
    column: str | None = None
    file: RelativePath | None = None
    key: str | None = Field(None, description="column of `file` that names the sample")
    pattern: str | None = Field(
        None, description="regular expression over the image's path; its group is the patient"
    )

    @model_validator(mode="after")
    def _one_way_only(self) -> Self:
        ways = [way for way in ("column", "pattern") if getattr(self, way) is not None]
        if len(ways) != int(self.known):
            raise ValueError(
                "say where patients are read in one way: none, recovered, {column: ..}, "
                "{file: .., column: ..} or {pattern: ..}"
            )
        if self.recovered and self.known:
            raise ValueError("write `patients: recovered` and nothing else")
        if self.file is not None and self.column is None:
            raise ValueError("a file needs the column that holds the patient")
        return self


def _read_patients(value: Any) -> Any:
    if value == "recovered":
        return {"known": False, "recovered": True}
    return {"known": False} if value == "none" else value


class TestShare(Strict):
    """A test split drawn by patient, stratified by class, before folds are assigned."""

    share: float = Field(gt=0, lt=0.9)


class Binary(Strict):
    """A two-way question over the classes: these against all the others."""

    positive: tuple[str, ...] = Field(min_length=1)


def _read_folds(value: Any) -> Any:
    return {"count": value} if isinstance(value, int | str) else value


class Folds(Strict):
    """How many patient-grouped folds, or the column that already holds them."""

    count: int = Field(5, ge=2, le=100)
    column: str | None = None
    file: RelativePath | None = None
    key: str | None = None

    @model_validator(mode="after")
    def _file_has_a_column(self) -> Self:
        if self.file is not None and self.column is None:
            raise ValueError("a file needs the column that holds the fold")
        return self


def _refuse_repeated(names: tuple[str, ...] | None) -> tuple[str, ...] | None:
    if names is not None and len(set(names)) < len(names):
        raise ValueError("a name stands twice")
    return names


Acknowledged = Literal[
    "patients-not-declared",
    "hidden-people",
    "groups-across-splits",
    "copies-across-patients",
    "copies-across-splits",
    "contradictory-copies",
]


class DataConfig(Strict):
    """The images of an experiment."""

    source: RelativePath = Field(
        description="folder of class folders, CSV or Parquet manifest, or MedMNIST-style npz"
    )
    patients: Annotated[
        Patients | None,
        BeforeValidator(
            _read_patients, json_schema_input_type=Literal["none", "recovered"] | Patients | None
        ),
    ] = Field(
        None,
        description="none, recovered (from pixels), or where a sample's patient is read; must be "
        "given",
    )
    classes: Annotated[tuple[str, ...] | None, AfterValidator(_refuse_repeated)] = Field(
        None, min_length=2, description="class order; default: sorted names"
    )
    ordinal: bool = Field(False, description="the classes are ordered stages")
    binary: Binary | None = None
    test: TestShare | None = Field(None, description="default: the manifest's own test split")
    folds: Annotated[Folds, BeforeValidator(_read_folds, json_schema_input_type=int | Folds)] = (
        Folds()
    )
    acknowledge: tuple[Acknowledged, ...] = Field(
        (), description="serious findings of the audit, by name, that are known and borne"
    )
    image_column: str = "image"
    label_column: str = "label"
    site_column: str = "site"
    split_column: str = "split"
