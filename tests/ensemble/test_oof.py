"""The OOF table joins what is whole and refuses what is not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from raymed.ensemble import join_members, member_rows, read_oof
from raymed.errors import InputError


def changed(table: pa.Table, column: str, row: int, value: Any) -> pa.Table:
    """The table with one cell changed."""
    values = table[column].to_pylist()
    values[row] = value
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array(values).cast(table.schema.field(column).type))


def test_members_are_joined_in_the_order_of_the_manifest(toy: Any) -> None:
    a, b = toy.logits(1), toy.logits(2)

    oof = join_members({"a": toy.table("a", a), "b": toy.table("b", b)}, toy.manifest, toy.folds)

    np.testing.assert_array_equal(oof.logits[:, 0], a)
    np.testing.assert_array_equal(oof.logits[:, 1], b)
    np.testing.assert_array_equal(oof.labels, toy.labels)
    np.testing.assert_array_equal(oof.fold, toy.folds.fold)
    assert oof.table["sample_id"].to_pylist() == list(toy.folds.sample_ids) * 2


def test_the_order_of_a_members_rows_does_not_matter(toy: Any) -> None:
    a = toy.logits(1)
    mixed = toy.table("a", a, np.random.default_rng(1).permutation(len(a)))

    straight = join_members({"a": toy.table("a", a)}, toy.manifest, toy.folds)

    assert join_members({"a": mixed}, toy.manifest, toy.folds).table.equals(straight.table)


def test_the_schema_names_classes_hashes_and_members(toy: Any, tmp_path: Path) -> None:
    oof = join_members({"a1": toy.table("a1", toy.logits(1))}, toy.manifest, toy.folds, {"a1": "x"})
    oof.write(tmp_path / "oof.arrow")

    with pa.ipc.open_file(tmp_path / "oof.arrow") as file:
        schema = file.schema
    assert json.loads(schema.metadata[b"classes"]) == list(toy.manifest.classes)
    assert schema.metadata[b"manifest"].decode() == toy.manifest.content
    assert schema.metadata[b"folds"].decode() == toy.folds.content
    assert json.loads(schema.metadata[b"members"]) == {"a1": "x"}
    kinds = {field.name: str(field.type) for field in schema}
    assert kinds["fold"] == "int16"
    assert kinds["seed"] == "int32"
    assert kinds["member"].startswith("dictionary")
    assert kinds["logits"].startswith("fixed_size_list")


def test_what_is_written_reads_back_the_same(toy: Any, tmp_path: Path) -> None:
    tables = {name: toy.table(name, toy.logits(1)) for name in ("a", "b")}
    oof = join_members(tables, toy.manifest, toy.folds)
    oof.write(tmp_path / "oof.arrow")

    again = read_oof(tmp_path / "oof.arrow")

    assert again.table.equals(oof.table)
    assert again.members == oof.members
    for column in ("logits", "labels", "patients", "fold"):
        np.testing.assert_array_equal(getattr(again, column), getattr(oof, column))


def test_a_sample_predicted_twice_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1))

    with pytest.raises(InputError, match=r"member a: predicts samples twice: p000_s0"):
        join_members({"a": pa.concat_tables([table, table.slice(0, 1)])}, toy.manifest, toy.folds)


def test_a_sample_not_predicted_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1)).slice(1)

    with pytest.raises(InputError, match=r"member a: does not predict 1 samples: p000_s0"):
        join_members({"a": table}, toy.manifest, toy.folds)


def test_a_row_from_a_model_that_saw_its_patient_is_refused(toy: Any) -> None:
    table = changed(toy.table("a", toy.logits(1)), "fold", 0, 1)

    with pytest.raises(InputError, match=r"saw their patient: p000_s0"):
        join_members({"a": table}, toy.manifest, toy.folds)


def test_a_row_with_another_label_or_patient_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1))
    label = (table["label"][0].as_py() + 1) % 3

    with pytest.raises(InputError, match="another label"):
        join_members({"a": changed(table, "label", 0, label)}, toy.manifest, toy.folds)
    with pytest.raises(InputError, match="another patient"):
        join_members({"a": changed(table, "patient", 0, "p099")}, toy.manifest, toy.folds)


def test_a_sample_outside_the_manifest_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1))
    extra = changed(table.slice(0, 1), "sample_id", 0, "stranger")

    with pytest.raises(InputError, match=r"no manifest of this run: stranger"):
        join_members({"a": pa.concat_tables([table, extra])}, toy.manifest, toy.folds)


def test_other_numbers_of_classes_and_infinite_logits_are_refused(toy: Any) -> None:
    logits = toy.logits(1)
    with pytest.raises(InputError, match="predicts 2 classes, the manifest has 3"):
        join_members({"a": toy.table("a", logits[:, :2])}, toy.manifest, toy.folds)
    logits[5, 0] = np.inf
    with pytest.raises(InputError, match="not finite"):
        join_members({"a": toy.table("a", logits)}, toy.manifest, toy.folds)


def test_nothing_to_join_is_refused(toy: Any) -> None:
    with pytest.raises(InputError, match="no members"):
        join_members({}, toy.manifest, toy.folds)


def test_a_file_that_is_no_oof_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "oof.arrow").write_bytes(b"not arrow")

    with pytest.raises(InputError, match="is no OOF table"):
        read_oof(tmp_path / "oof.arrow")


def test_a_members_rows_keep_the_splits_apart(toy: Any) -> None:
    table = toy.table("a", toy.logits(1))
    split = ["test" if row < 6 else "train" for row in range(len(table))]
    part = table.append_column("split", pa.array(split))

    assert len(member_rows([part], "test")) == 6
    oof = member_rows([part], "train")
    assert len(oof) == len(table) - 6
    assert not pc.any(pc.equal(oof["sample_id"], "p000_s0")).as_py()
