"""Parquet and Arrow files, opened so that nothing in them is run.

Once `ray.data` is imported (a sweep and Ray Train do so), Arrow hands every column of its type
`ray.data.arrow_pickled_object` to pickle, and reading a value runs whatever the file says. Every
table is opened here, and one with such a column is refused, whether or not Ray is imported.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raymed.errors import InputError

_PICKLED = b"ray.data.arrow_pickled_object"


def read_parquet(path: Path) -> pa.Table:
    """Read a Parquet file of ours whole; one that is broken or holds pickles is named."""
    try:
        with open_parquet(path) as file:
            return file.read()
    except pa.ArrowException as error:
        raise InputError(
            str(path), f"cannot be read as Parquet ({error})", "delete it, run again"
        ) from None


def open_parquet(path: Path | str, **options: Any) -> pq.ParquetFile:
    """Open a Parquet file as pyarrow does; raises `InputError` where it holds pickles."""
    file = pq.ParquetFile(path, **options)
    try:
        _refuse_pickles(file.schema_arrow, path)
    except InputError:
        file.close()
        raise
    return file


@contextmanager
def open_arrow(path: Path) -> Iterator[pa.RecordBatchFileReader]:
    """Open an Arrow file as pyarrow does; raises `InputError` where it holds pickles."""
    with pa.OSFile(str(path)) as source, pa.ipc.open_file(source) as file:
        _refuse_pickles(file.schema, path)
        yield file


def _refuse_pickles(schema: pa.Schema, path: Path | str) -> None:
    """Refuse a schema that names the type anywhere, nested or not."""
    if _PICKLED in schema.serialize().to_pybytes():
        names = [field.name for field in schema if _PICKLED in _written(field)]
        raise InputError(
            str(path),
            f"holds pickled Python objects (columns {', '.join(names)}), which are never opened",
            "write the table without them",
        )


def _written(field: pa.Field) -> bytes:
    return bytes(pa.schema([field]).serialize().to_pybytes())
