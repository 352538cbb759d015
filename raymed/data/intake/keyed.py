"""What a column says of each sample: a column of the manifest itself, or of another table."""

from pathlib import Path

import pandas as pd

from raymed.data.pixels.parquet import DEFAULT_COLUMN, holds_images
from raymed.errors import InputError, did_you_mean, some
from raymed.tables import open_parquet

TABLE_SUFFIXES = (".csv", ".tsv", ".xlsx", ".parquet", ".pq")


def is_table(path: Path, image_column: str = DEFAULT_COLUMN) -> bool:
    """Tell whether a file is a table, and none that holds the images themselves."""
    suffix = path.suffix.lower()
    if suffix in (".parquet", ".pq"):
        return not holds_images(str(path), image_column)
    return suffix in TABLE_SUFFIXES


def read_table(path: Path) -> pd.DataFrame:
    """Read a table with every value as text.

    A CSV may be separated by commas, semicolons or tabs: whichever its first line has, in this
    order. Of an Excel file the first sheet counts.
    """
    if not path.is_file():
        raise InputError(str(path), "no such file", f"give a table: {some(TABLE_SUFFIXES, 9)}")
    kind = path.suffix.lower()
    try:
        if kind in (".parquet", ".pq"):
            with open_parquet(path) as file:
                table: pd.DataFrame = file.read().to_pandas()
            return table.astype(dict.fromkeys(table.columns, "object")).map(as_text)
        if kind == ".xlsx":
            return pd.read_excel(path, dtype=str, keep_default_na=False)
        separator = "\t" if kind == ".tsv" else _separator(path)
        return pd.read_csv(path, sep=separator, dtype=str, keep_default_na=False, index_col=False)
    except InputError:
        raise
    except UnicodeDecodeError:
        raise InputError(
            str(path), "cannot be read as a table (it is not UTF-8)", "save it as CSV UTF-8"
        ) from None
    except Exception as error:  # pandas, pyarrow and openpyxl raise a dozen kinds
        raise InputError(str(path), f"cannot be read as a table ({error})") from None


def _separator(path: Path) -> str:
    with path.open(encoding="utf-8-sig") as file:
        names = file.readline()
    return next((mark for mark in ",;\t" if mark in names), ",")


def as_text(value: object) -> str:
    """Write a value as a table shows it: whole numbers without a point, nothing for none."""
    if value is None or value != value:
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value)


def column_of(table: pd.DataFrame, name: str, place: str) -> pd.Series:
    """Give a column, or say which columns there are."""
    if name not in table.columns:
        hint = did_you_mean(name, table.columns) or f"columns are {some(list(table.columns), 12)}"
        raise InputError(place, f"has no column {name!r}", hint)
    return table[name]


def values_of_samples(
    samples: pd.DataFrame, source: Path | str, column: str, file: Path | None, key: str | None
) -> pd.Series:
    """Give what `column` says of each sample, as text; an empty value is refused.

    Without `file` it is a column of the manifest itself. With `file` it is a column of that
    table, whose column `key` holds image paths relative to the source, or sample ids; without
    `key` the first column that covers every sample is taken.
    """
    if file is None:
        values = column_of(samples, column, str(source)).astype(str)
    else:
        values = _looked_up(samples, file, column, key)
    values = values.str.strip()  # 'p1 ' and 'p1' are one patient
    empty = samples["sample_id"][values == ""].tolist()
    if empty:
        place = f"{file or source}, column {column!r}"
        raise InputError(place, f"is empty for {len(empty)} samples: {some(empty)}", "fill it")
    return values


def where_known(samples: pd.DataFrame, file: Path, column: str, key: str | None) -> pd.Series:
    """Give what a column of `file` says of each sample, as text; empty where there is no row.

    The column `key` holds patients, image paths relative to the source, or sample ids; without
    `key` the column that finds most samples is taken. One that finds none is refused.
    """
    table = read_table(file)
    values = column_of(table, column, str(file)).str.strip()
    keys = [key] if key is not None else [name for name in table.columns if name != column]
    finds = []
    for name in keys:
        lookup = dict(zip(column_of(table, name, str(file)), values, strict=True))
        finds += [(samples[way].map(lookup), name) for way in ("patient", *_ways(samples))]
    found, chosen = max(finds, key=lambda find: find[0].notna().sum())
    if found.isna().all():
        raise InputError(
            str(file),
            "no row is of a sample or patient",
            "name the column with patients, image paths or sample ids as `key`",
        )
    _refuse_contradictions(table[chosen], values, chosen, file)
    return found.fillna("").astype(str)


def _ways(samples: pd.DataFrame) -> list[str]:
    """List the columns that another table may name samples by."""
    return [name for name in ("relative", "sample_id", "whole") if name in samples.columns]


def _looked_up(samples: pd.DataFrame, path: Path, column: str, key: str | None) -> pd.Series:
    table = read_table(path)
    values = column_of(table, column, str(path))
    keys = [key] if key is not None else [name for name in table.columns if name != column]
    missing = samples["sample_id"].tolist()
    for name in keys:
        names = column_of(table, name, str(path))
        for samples_key in _ways(samples):
            lookup = dict(zip(names, values, strict=True))
            found = samples[samples_key].map(lookup)
            absent = samples["sample_id"][found.isna()].tolist()
            if not absent:
                _refuse_contradictions(names, values, name, path)
                return found.astype(str)
            missing = min(missing, absent, key=len)
    raise InputError(
        str(path),
        f"{len(missing)} samples have no row: {some(missing)}",
        "name the column with image paths or sample ids as `key`",
    )


def _refuse_contradictions(names: pd.Series, values: pd.Series, key: str, path: Path) -> None:
    kinds = values.groupby(names).nunique()
    torn = kinds.index[kinds > 1].tolist()
    if torn:
        raise InputError(
            str(path), f"column {key!r} names samples twice with different values: {some(torn)}"
        )
