"""What the images are, who they belong to, and how they are divided."""

from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from raymed.config.source import Source
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
    dicom: Literal["PatientID", "StudyInstanceUID", "SeriesInstanceUID"] | None = Field(
        None, description="attribute of DICOM files; kept as a pseudonym, never as it stands"
    )
    secret: RelativePath | None = Field(
        None, description="file whose content makes pseudonyms; default: the data set's own ids"
    )

    @model_validator(mode="after")
    def _one_way_only(self) -> Self:
        ways = [way for way in ("column", "pattern", "dicom") if getattr(self, way) is not None]
        if len(ways) != int(self.known):
            raise ValueError(
                "say where patients are read in one way: none, recovered, {column: ..}, "
                "{file: .., column: ..}, {pattern: ..} or {dicom: PatientID}"
            )
        if self.recovered and self.known:
            raise ValueError("write `patients: recovered` and nothing else")
        if self.file is not None and self.column is None:
            raise ValueError("a file needs the column that holds the patient")
        if self.secret is not None and self.dicom is None:
            raise ValueError("a secret is for patients by dicom only")
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


Pair = tuple[float, float]


class Intensity(Strict):
    """How values deeper than 8 bits become 8 bits: as files say, or in one of three ways."""

    window: Pair | None = Field(None, description="centre and width, in the files' units")
    range: Pair | None = Field(None, description="the values shown black and white")
    percentiles: Pair | None = Field(None, description="of each image or volume, 0 to 100")

    @model_validator(mode="after")
    def _one_way_that_rises(self) -> Self:
        ways = [pair for pair in (self.window, self.range, self.percentiles) if pair is not None]
        if len(ways) > 1:
            raise ValueError("say it in one way: window, range or percentiles")
        if self.window is not None and self.window[1] <= 0:
            raise ValueError("a window's width must be positive")
        if any(low >= high for low, high in (pair for pair in ways if pair != self.window)):
            raise ValueError("the first value must be below the second")
        if self.percentiles and not (self.percentiles[0] >= 0 and self.percentiles[1] <= 100):
            raise ValueError("percentiles lie between 0 and 100")
        return self


AS_FILES_SAY = Intensity()


def _read_intensity(value: Any) -> Any:
    return {} if value == "auto" else value


class Slices(Strict):
    """Which slices of a NIfTI volume are samples."""

    axis: Literal["axial", "coronal", "sagittal"] = "axial"
    between: Pair = Field((0, 1), description="shares of the volume along the axis, 0 to 1")
    step: int = Field(1, ge=1, description="every n-th of them")

    @model_validator(mode="after")
    def _a_part_of_the_volume(self) -> Self:
        if not 0 <= self.between[0] < self.between[1] <= 1:
            raise ValueError("between: two shares, 0 to 1, the first below the second")
        return self


Acknowledged = Literal[
    "patients-not-declared",
    "hidden-people",
    "groups-across-splits",
    "copies-across-patients",
    "copies-across-splits",
    "contradictory-copies",
    "class-follows-site",
    "class-told-by-origin",
]


class DataConfig(Strict):
    """The images of an experiment."""

    source: Source = Field(
        description="folder of class folders, manifest (CSV, TSV, Excel, Parquet), MedMNIST npz, "
        "WebDataset tar, Parquet with images; a folder or pattern of the last two; also s3:// and gs://"
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
    intensity: Annotated[
        Intensity,
        BeforeValidator(_read_intensity, json_schema_input_type=Literal["auto"] | Intensity),
    ] = Field(AS_FILES_SAY, description="how values deeper than 8 bits become 8 bits")
    slices: Slices = Field(Slices(), description="which slices of a NIfTI volume are samples")
    root: RelativePath | None = Field(
        None, description="folder that a manifest's images lie below; default: the manifest's"
    )
    on_error: Literal["stop", "skip"] = Field(
        "stop", description="what unusable images do: stop after listing all, or leave them out"
    )
    acknowledge: tuple[Acknowledged, ...] = Field(
        (), description="serious findings of the audit, by name, that are known and borne"
    )
    image_column: str = "image"
    label_column: str = "label"
    site_column: str = "site"
    split_column: str = "split"
