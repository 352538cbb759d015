"""Parquet files with image files in a column, as Hugging Face's datasets write them."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
import pyarrow as pa

from raymed.config import DataConfig
from raymed.data.intake.keyed import as_text, column_of
from raymed.data.intake.sources.columns import refuse_unlabelled, site_and_split, split_of_rows
from raymed.data.intake.sources.shards import Shards
from raymed.data.intake.steps import Step, Steps
from raymed.data.pixels.parquet import (
    DEFAULT_COLUMN,
    image_names,
    is_image_type,
    open_parquet,
    read_columns,
)
from raymed.errors import InputError, some

_FEATURES = b"huggingface"
_UNTOLD = "-1"
"""The number of a class that is kept secret, as in the test sets of challenges."""


@dataclass(frozen=True)
class _Rows:
    """The rows of one file: their columns as text, references, ids, and their images' own names."""

    fields: pd.DataFrame
    images: list[str]
    ids: list[str]
    names: list[str]
    classes_named: bool


def read_parquet_images(shards: Shards, data: DataConfig) -> Steps[pd.DataFrame]:
    """List the rows of Parquet files with their other columns; reads no images.

    Numbers of a `ClassLabel` become its names. A sample's id is its file's path without suffix and
    its row, unless a column `sample_id` says another; `relative` is the path that the image's
    struct carries, where every row has one.
    """
    files, splits = [], []
    told = zip(shards.files, shards.names(), shards.splits(), strict=True)
    for number, (file, name, split) in enumerate(told):
        yield Step("listing Parquet files", number, len(shards.files))
        files.append(_rows_of(str(file), name.rpartition(".")[0], data))
        splits += [split] * len(files[-1].ids)
    place = str(shards.files[0] if len(files) == 1 else shards.root)
    if not splits:
        raise InputError(place, "has no rows")
    if len({file.classes_named for file in files if file.ids}) > 1:
        pairs = zip(shards.names(), files, strict=True)
        without = [name for name, file in pairs if not file.classes_named]
        fault = f"only some of its files name the classes of {data.label_column!r}"
        raise InputError(place, fault, f"write the others again: {some(without)}")
    table = pd.concat([file.fields for file in files], ignore_index=True).fillna("")
    images, ids, names = (
        [value for file in files for value in getattr(file, what)]
        for what in ("images", "ids", "names")
    )
    label = column_of(table, data.label_column, place)
    refuse_unlabelled(label, images, place)
    said = site_and_split(table, data, place)
    return table.assign(
        sample_id=table["sample_id"] if "sample_id" in table.columns else ids,
        image=images,
        relative=names if all(names) else ids,
        label=label.str.strip(),
        site=said["site"],
        split=split_of_rows(said["split"], splits, place),
    )


def _rows_of(path: str, stem: str, data: DataConfig) -> _Rows:
    file = open_parquet(path)
    schema, column = file.schema_arrow, data.image_column
    _refuse_other_columns(schema, data, path)
    plain = [field.name for field in schema if _is_plain(field.type)]
    table = read_columns(file, plain, path)
    fields = table.to_pandas()
    fields = fields.astype(dict.fromkeys(fields.columns, "object")).map(as_text)
    named = _class_names(schema, path)
    for name in named.keys() & set(plain):
        fields[name] = _named(fields[name], named[name], f"{path}, column {name!r}")
    width = len(str(max(0, len(fields) - 1)))
    rows = [f"{row:0{width}}" for row in range(file.metadata.num_rows)]
    inside = "" if column == DEFAULT_COLUMN else f"{column}/"
    names = image_names(file, column, path)
    file.close()
    return _Rows(
        fields,
        [f"{path}::{inside}{row}" for row in rows],
        [f"{stem}/{row}" for row in rows],
        names,
        data.label_column in named,
    )


def _refuse_other_columns(schema: pa.Schema, data: DataConfig, path: str) -> None:
    """Refuse a file without images or labels, or with several labels a row."""
    shown = pd.DataFrame(columns=schema.names)
    for name in (data.image_column, data.label_column):
        column_of(shown, name, path)
    kinds = {name: schema.field(name).type for name in (data.image_column, data.label_column)}
    if not is_image_type(schema, data.image_column):
        raise InputError(
            path,
            f"its column {data.image_column!r} holds {kinds[data.image_column]}, not image files",
            "name another as data.image_column; a manifest is given by its own path",
        )
    if not _is_plain(kinds[data.label_column]):
        raise InputError(
            path,
            f"its column {data.label_column!r} holds {kinds[data.label_column]}",
            "one label a row is needed",
        )


def _is_plain(kind: pa.DataType) -> bool:
    """Tell whether a column holds values that are text or can be written as such."""
    binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return not (binary or pa.types.is_nested(kind))


def _class_names(schema: pa.Schema, path: str) -> dict[str, list[str]]:
    """Give the names of each column's classes, as the schema's metadata tells them."""
    said = (schema.metadata or {}).get(_FEATURES)
    if said is None:
        return {}
    try:
        features = json.loads(said)["info"]["features"].items()
    except (ValueError, KeyError, TypeError, AttributeError):
        fault = "its metadata 'huggingface' does not tell its features"
        raise InputError(path, fault, "write the file again with datasets") from None
    return {name: feature["names"] for name, feature in features if _is_class_label(feature)}


def _is_class_label(feature: Any) -> bool:
    return isinstance(feature, Mapping) and feature.get("_type") == "ClassLabel"


def _named(numbers: pd.Series, names: Sequence[str], place: str) -> pd.Series:
    known = {"": "", _UNTOLD: "", **{str(number): name for number, name in enumerate(names)}}
    found = numbers.map(known)
    if found.isna().any():
        row = int(found.isna().to_numpy().argmax())
        fault = f"row {row} has the class {numbers.iloc[row]}, and {len(names)} have names"
        raise InputError(place, fault, "write the file again with its own classes")
    return found
