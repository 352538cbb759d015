"""Sources that hold images and labels together: npz, WebDataset tars, Parquet with images."""

import json
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from raymed.config import DataConfig
from raymed.data.intake.frames import PREFIX, UNREADABLE
from raymed.data.intake.sources import SourceKind, reading_source
from raymed.data.intake.sources.shards import shards_at
from raymed.data.intake.steps import Steps
from raymed.data.pixels.parquet import is_image_type, open_parquet
from raymed.data.proposal.columns import LABEL_NAMES, bare, patient_column, site_column
from raymed.data.proposal.contract import PatientsGuess, Proposal
from raymed.data.proposal.ordering import order_classes
from raymed.data.proposal.paths import patients_in_names
from raymed.errors import InputError, some

_OURS = ("sample_id", "image", "relative", "label", "site", "split", "whole", "cls")
_CODES = ("label", "labels", "cls", "class", "target", "y")
"""Label columns whose numbers stand for classes; those of `grade` or `stage` are grades."""
_HEADER = PREFIX + "PatientID"


def image_column_of(source: Path) -> str | None:
    """Name the first column of a Parquet file, or of the first of a folder's, that holds images."""
    shards = shards_at(source)
    if shards is None or shards.files[0].suffix.lower() not in (".parquet", ".pq"):
        return None
    with open_parquet(str(shards.files[0])) as file:
        schema = file.schema_arrow
        return next((name for name in schema.names if is_image_type(schema, name)), None)


def propose_packed(
    source: Path, kind: SourceKind, image_column: str | None = None
) -> Steps[Proposal]:
    """Propose a source that a reader takes as it lies, by what its samples say."""
    settings = {} if image_column in (None, "image") else {"image_column": str(image_column)}
    label = _label_of(source, kind, image_column)
    if label != "label":
        settings["label_column"] = label
    samples = yield from reading_source(DataConfig(source=source, **settings))
    site = site_column(samples, [*_OURS, label])
    if site is not None:
        settings["site_column"] = site
    codes = bare(label) in _CODES
    return Proposal(
        {SourceKind.NPZ: "a MedMNIST-style npz"}.get(kind, kind.value),
        source,
        order_classes(samples["label"], codes=codes),
        _patients(samples, [*_OURS, label], kind),
        settings,
    )


def _patients(
    samples: pd.DataFrame, besides: Sequence[str], kind: SourceKind
) -> PatientsGuess | None:
    column = patient_column(samples, besides)
    if column is not None:
        count = samples[column].nunique()
        return PatientsGuess({"column": column}, f"{count} patients, by {column!r}")
    if _HEADER in samples.columns:
        ids = samples[_HEADER]
        if (ids != "").all() and not ids.str.startswith(UNREADABLE).any() and ids.nunique() > 1:
            why = f"{ids.nunique()} patients by PatientID, which all headers have"
            return PatientsGuess({"dicom": "PatientID"}, f"{why}; kept as pseudonyms")
    if kind is SourceKind.NPZ:
        return None
    return patients_in_names(list(samples["relative"]), below_class=False)


def _label_of(source: Path, kind: SourceKind, image_column: str | None) -> str:
    """Name the column with the labels; `label` also where a reader finds them by itself."""
    shards = shards_at(source)
    if kind is SourceKind.NPZ or shards is None:
        return "label"
    first = shards.files[0]
    if kind is SourceKind.WEBDATASET:
        names, told = _fields_of_tar(first), list[str]()
    else:
        names, told = _columns_of_parquet(first)
    named = {bare(name): name for name in names if name != image_column}
    found = [*told, *(named[name] for name in LABEL_NAMES if name in named)]
    if not found:
        raise InputError(
            str(first),
            f"no column is known to hold the labels: {some(names, 20)}",
            "rename the one that does to label",
        )
    return found[0]


def _columns_of_parquet(file: Path) -> tuple[list[str], list[str]]:
    """Give the columns of a file, and those that its metadata calls class labels."""
    with open_parquet(str(file)) as opened:
        schema = opened.schema_arrow
    try:
        features = json.loads((schema.metadata or {})[b"huggingface"])["info"]["features"]
        told = [name for name, each in features.items() if each.get("_type") == "ClassLabel"]
    except (KeyError, ValueError, TypeError, AttributeError):
        told = []
    return list(schema.names), told


def _fields_of_tar(file: Path) -> list[str]:
    """Give the fields of the first sample that has any; a `.cls` is the field `label`."""
    found: dict[str, list[str]] = {}
    try:
        with tarfile.open(file, "r:") as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                if found and key not in found:
                    break
                if suffix == "cls":
                    found.setdefault(key, []).append("label")
                content = tar.extractfile(member) if suffix == "json" else None
                if content is not None:
                    fields: dict[str, Any] = json.load(content)
                    found.setdefault(key, []).extend(fields)
    except (tarfile.TarError, OSError, ValueError, TypeError):
        return ["label"]  # the reader says better what is wrong
    return next(iter(found.values()), [])
