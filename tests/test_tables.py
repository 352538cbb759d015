"""Tables are opened so that nothing in them is run."""

import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from raymed.errors import InputError
from raymed.tables import open_arrow, open_parquet, read_parquet

NAME = "ray.data.arrow_pickled_object"


def write_parquet(table: pa.Table, path: Path) -> None:
    pq.write_table(table, path)


def write_arrow(table: pa.Table, path: Path) -> None:
    with pa.ipc.new_file(path, table.schema) as file:
        file.write_table(table)


def open_it(path: Path) -> Any:
    with open_arrow(path) as file:
        return file.read_all()


WAYS = [(write_parquet, read_parquet), (write_parquet, open_parquet), (write_arrow, open_it)]


def listed(column: pa.Array) -> pa.Array:
    return pa.ListArray.from_arrays([0, len(column)], column)


def inside(column: pa.Array) -> pa.Array:
    return pa.StructArray.from_arrays([column], ["inside"])


@pytest.mark.parametrize(("write", "read"), WAYS)
@pytest.mark.parametrize("wraps", [[], [listed], [inside], [listed, inside]])
@pytest.mark.parametrize("known", [True, False])
def test_a_column_of_pickles_is_refused_wherever_it_nests(
    tmp_path: Path, write: Any, read: Any, wraps: list[Any], known: bool
) -> None:
    """`known`: Ray's type is registered, as in a process that imported `ray.data`."""
    arrow = pytest.importorskip("ray.data._internal.object_extensions.arrow")
    storage = pa.array([pickle.dumps(1)], pa.large_binary())
    column = pa.ExtensionArray.from_storage(arrow.ArrowPythonObjectType(), storage)
    for wrap in wraps:
        column = wrap(column)
    write(pa.table({"id": [1], "x": column}), tmp_path / "a")
    if not known:
        pa.unregister_extension_type(NAME)
    try:
        with pytest.raises(InputError, match=r"a: holds pickled Python objects \(columns x\)"):
            read(tmp_path / "a")
    finally:
        if not known:
            pa.register_extension_type(arrow.ArrowPythonObjectType())


@pytest.mark.parametrize(("write", "read"), WAYS)
def test_other_tables_are_read(tmp_path: Path, write: Any, read: Any) -> None:
    table = pa.table({"id": [1, 2], "image": [b"a", pickle.dumps(1)], "deep": [{"a": [1]}] * 2})
    write(table, tmp_path / "a")

    found = read(tmp_path / "a")

    assert (found.read() if isinstance(found, pq.ParquetFile) else found).equals(table)


def test_a_broken_table_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1")

    with pytest.raises(InputError, match=r"a\.parquet: cannot be read as Parquet"):
        read_parquet(tmp_path / "a.parquet")
