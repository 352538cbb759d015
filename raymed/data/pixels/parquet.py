"""Image files in the rows of a Parquet file: `row`, or `column/row` where it is not `image`.

Rows are read a few at a time, forwards, so that about a page of the column is in memory (pyarrow
writes 1024 rows a page where images are large), never a whole row group.
"""

import threading
from bisect import bisect_right
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import accumulate
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from raymed import tables
from raymed.config import Intensity, Slices
from raymed.data.pixels.content import InMemory
from raymed.data.pixels.contract import Frame, ImageFile
from raymed.data.pixels.opening import open_content
from raymed.data.pixels.recent import Recent
from raymed.errors import InputError

DEFAULT_COLUMN = "image"
BYTES, PATH = "bytes", "path"
"""The fields of a struct that is an image, as Hugging Face's datasets write it."""

_BATCH = 32  # rows, and two are kept: `in_turn` never lags so far that rows are read again
_BUFFER = 2**20  # bytes of a column that are fetched at a time

_Row = tuple[bytes | None, str]


class ParquetImages:
    """A Parquet file with a column of image files."""

    def __init__(self, path: str) -> None:
        self._path, self._lock = path, threading.Lock()
        self._recent = Recent(self.inside)
        self._file: pq.ParquetFile | None = None
        self._columns: dict[str, _Forwards] = {}
        self._names: dict[str, list[str]] = {}

    def frames(self, slices: Slices) -> tuple[str, ...]:
        """Refuse: the reader of Parquet sources names the rows itself, with their labels."""
        raise InputError(self._path, "is a Parquet file, not an image", "give it as data.source")

    def facts(self) -> Mapping[str, str]:
        """Tell nothing; its rows may."""
        return {}

    def name(self, member: str) -> str:
        """Give the file name that the row carries."""
        column, row = self._place_of(member)
        with self._lock:
            if column not in self._names:
                self._names[column] = image_names(self._opened(), column, self._path)
        return self._names[column][row]

    def inside(self, member: str) -> ImageFile:
        """Open the image file of a row."""
        place = f"{self._path}::{member}"
        column, row = self._place_of(member)
        try:
            with self._lock:
                if column not in self._columns:
                    self._columns[column] = _Forwards(self._opened(), column)
                content, name = self._columns[column].row(row)
        except (pa.ArrowException, OSError, KeyError) as error:
            raise InputError(place, f"cannot be read as a row of Parquet ({error})") from None
        if content is None:
            only = f", only the path {name}" if name else ""
            remedy = "leave the row out, or write the file itself into the column"
            raise InputError(place, f"holds no bytes{only}", remedy)
        return open_content(InMemory(place, name, content))

    def read(self, frame: str, rule: Intensity) -> Frame:
        """Read the image of a row, or one frame of it."""
        return self._recent.read(frame, rule)

    def close(self) -> None:
        """Let go of the file."""
        self._recent.forget()
        with self._lock:
            self._columns.clear()
            if self._file is not None:
                self._file.close()
            self._file = None

    def _opened(self) -> pq.ParquetFile:
        if self._file is None:
            self._file = open_parquet(self._path)
        return self._file

    def _place_of(self, member: str) -> tuple[str, int]:
        column, _, row = member.rpartition("/")
        place = f"{self._path}::{member}"
        if not row.isdecimal():
            raise InputError(place, f"{row!r} is no row", "rows are counted from 0")
        with self._lock:
            count = self._opened().metadata.num_rows
        if int(row) >= count:
            raise InputError(place, f"it has {count} rows only")
        return column or DEFAULT_COLUMN, int(row)


def open_parquet(path: str) -> pq.ParquetFile:
    """Open a Parquet file so that little of it is read ahead; one that is broken is named."""
    try:
        return tables.open_parquet(path, buffer_size=_BUFFER, pre_buffer=False)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def read_columns(file: pq.ParquetFile, names: list[str], path: str) -> pa.Table:
    """Read some columns of all rows."""
    try:
        return file.read(columns=names, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, error) from None


def holds_images(path: str, column: str) -> bool:
    """Tell whether a column holds image files: bytes, or a struct of them with their path."""
    return is_image_type(open_parquet(path).schema_arrow, column)


def is_image_type(schema: pa.Schema, column: str) -> bool:
    """Tell it of a schema; a column that is not there holds none."""
    at = schema.get_field_index(column)
    kind = schema.field(at).type if at >= 0 else pa.null()
    if pa.types.is_struct(kind) and kind.get_field_index(BYTES) >= 0:
        kind = kind.field(BYTES).type
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def image_names(file: pq.ParquetFile, column: str, path: str) -> list[str]:
    """Read the file name of every row's image, `""` where there is none; reads no images."""
    kind = file.schema_arrow.field(column).type
    if not (pa.types.is_struct(kind) and kind.get_field_index(PATH) >= 0):
        return [""] * file.metadata.num_rows
    table = read_columns(file, [f"{column}.{PATH}"], path)
    return [(row or {}).get(PATH) or "" for row in table.column(column).to_pylist()]


def _unreadable(path: str, error: Exception) -> InputError:
    return InputError(path, f"cannot be read as a table in Parquet ({error})", "copy it again")


class _Forwards:
    """A column read forwards, the last two batches kept; going back starts the row group again."""

    def __init__(self, file: pq.ParquetFile, column: str) -> None:
        self._file, self._column = file, column
        counts = [file.metadata.row_group(at).num_rows for at in range(file.num_row_groups)]
        self._starts = [0, *accumulate(counts)]
        self._kept: deque[tuple[int, pa.Array]] = deque(maxlen=2)
        self._next, self._group = 0, -1
        self._batches: Iterator[pa.RecordBatch] = iter(())

    def row(self, row: int) -> _Row:
        """Read a row's bytes and name."""
        group = bisect_right(self._starts, row) - 1
        oldest = self._kept[0][0] if self._kept else row
        if group != self._group or row < oldest:
            self._enter(group)
        while row >= self._next:
            values = next(self._batches).column(0)
            self._kept.append((self._next, values))
            self._next += len(values)
        for start, values in self._kept:
            if start <= row < start + len(values):
                return _bytes_and_name(values[row - start].as_py())
        raise AssertionError(row)

    def _enter(self, group: int) -> None:
        self._kept.clear()
        self._group, self._next = group, self._starts[group]
        self._batches = self._file.iter_batches(
            _BATCH, row_groups=[group], columns=[self._column], use_threads=False
        )


def _bytes_and_name(value: Any) -> _Row:
    if isinstance(value, dict):
        return value.get(BYTES), value.get(PATH) or ""
    return value, ""
