"""The OOF table joins what is whole and refuses what is not."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import feather

from raymed.ensemble import member_rows, read_oof
from raymed.errors import InputError


def changed(table: pa.Table, column: str, row: int, value: Any) -> pa.Table:
    """The table with one cell changed."""
    values = table[column].to_pylist()
    values[row] = value
    place = table.column_names.index(column)
    return table.set_column(place, column, pa.array(values).cast(table.schema.field(column).type))


def test_members_are_joined_in_the_order_of_the_manifest(toy: Any) -> None:
    a, b = toy.logits(1), toy.logits(2)

    oof = toy.join({"a": toy.table("a", a), "b": toy.table("b", b)})

    np.testing.assert_array_equal(oof.logits[:, 0], a)
    np.testing.assert_array_equal(oof.logits[:, 1], b)
    np.testing.assert_array_equal(oof.labels, toy.labels)
    np.testing.assert_array_equal(oof.fold, toy.folds.fold)
    np.testing.assert_array_equal(oof.patients, toy.manifest.patients)


def test_the_joined_file_holds_every_members_rows_in_the_order_of_the_manifest(toy: Any) -> None:
    a, b = toy.logits(1), toy.logits(2)
    toy.join({"a": toy.table("a", a), "b": toy.table("b", b)})

    rows = feather.read_feather(toy.joined)

    assert rows["member"].tolist() == ["a"] * 180 + ["b"] * 180
    assert rows["seed"].tolist() == [0] * 360
    np.testing.assert_array_equal(np.stack(rows["logits"].to_list()), np.concatenate([a, b]))
    for name, own in (
        ("sample_id", toy.samples.sample_ids),
        ("patient", toy.samples.patients),
        ("site", toy.samples.sites),
        ("label", toy.labels),
        ("fold", toy.folds.fold),
    ):
        assert rows[name].tolist() == own.tolist() * 2


def test_the_order_of_a_members_rows_does_not_matter(toy: Any) -> None:
    a = toy.logits(1)
    mixed = toy.table("a", a, np.random.default_rng(1).permutation(len(a)))
    toy.join({"a": toy.table("a", a)})
    straight = toy.joined.read_bytes()

    toy.join({"a": mixed})

    assert toy.joined.read_bytes() == straight


def test_the_schema_names_classes_hashes_and_members(toy: Any) -> None:
    toy.join({"a1": toy.table("a1", toy.logits(1))}, {"a1": "x"})

    schema = feather.read_table(toy.joined).schema
    assert json.loads(schema.metadata[b"classes"]) == list(toy.manifest.classes)
    assert schema.metadata[b"manifest"].decode() == toy.manifest.content
    assert schema.metadata[b"folds"].decode() == toy.folds.content
    assert json.loads(schema.metadata[b"members"]) == {"a1": "x"}
    kinds = {field.name: str(field.type) for field in schema}
    assert kinds["fold"] == "int16"
    assert kinds["seed"] == "int32"
    assert kinds["member"].startswith("dictionary")
    assert kinds["logits"].startswith("fixed_size_list")


@pytest.mark.parametrize("batches", ["a member", "all members"])
def test_what_is_written_reads_back_the_same(toy: Any, batches: str) -> None:
    """Also from a file in which one batch holds all members, as they were once written."""
    oof = toy.join({name: toy.table(name, toy.logits(1)) for name in ("a", "b")})
    if batches == "all members":
        table = feather.read_table(toy.joined, memory_map=False).combine_chunks()
        with pa.ipc.new_file(str(toy.joined), table.schema) as file:
            file.write_table(table)

    again = read_oof(toy.joined)

    assert again.members == oof.members
    assert again.metadata == oof.metadata
    for column in ("logits", "labels", "patients", "fold"):
        np.testing.assert_array_equal(getattr(again, column), getattr(oof, column))


def test_a_sample_predicted_twice_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1))

    with pytest.raises(InputError, match=r"member a: predicts samples twice: p000_s0"):
        toy.join({"a": pa.concat_tables([table, table.slice(0, 1)])})


def test_a_sample_not_predicted_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1)).slice(1)

    with pytest.raises(InputError, match=r"member a: does not predict 1 samples: p000_s0"):
        toy.join({"a": table})


def test_a_row_from_a_model_that_saw_its_patient_is_refused(toy: Any) -> None:
    table = changed(toy.table("a", toy.logits(1)), "fold", 0, 1)

    with pytest.raises(InputError, match=r"saw their patient: p000_s0"):
        toy.join({"a": table})


def test_nothing_is_left_of_a_join_that_was_refused(toy: Any) -> None:
    good = toy.table("a", toy.logits(1))

    with pytest.raises(InputError, match="member b"):
        toy.join({"a": good, "b": good.slice(1)})

    assert sorted(path.name for path in toy.folder.iterdir()) == ["a.parquet", "b.parquet"]


def test_a_row_with_another_label_or_patient_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1))
    label = (table["label"][0].as_py() + 1) % 3

    with pytest.raises(InputError, match="another label"):
        toy.join({"a": changed(table, "label", 0, label)})
    with pytest.raises(InputError, match="another patient"):
        toy.join({"a": changed(table, "patient", 0, "p099")})


def test_a_sample_outside_the_manifest_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1))
    extra = changed(table.slice(0, 1), "sample_id", 0, "stranger")

    with pytest.raises(InputError, match=r"no manifest of this run: stranger"):
        toy.join({"a": pa.concat_tables([table, extra])})


def test_a_sample_of_the_test_split_is_refused(toy: Any) -> None:
    table = toy.table("a", toy.logits(1))
    toy.folds.fold[0] = -1

    with pytest.raises(InputError, match=r"predicts 1 samples of the test split: p000_s0"):
        toy.join({"a": table})


def test_other_numbers_of_classes_and_infinite_logits_are_refused(toy: Any) -> None:
    logits = toy.logits(1)
    with pytest.raises(InputError, match="predicts 2 classes, the manifest has 3"):
        toy.join({"a": toy.table("a", logits[:, :2])})
    logits[5, 0] = np.inf
    with pytest.raises(InputError, match="not finite"):
        toy.join({"a": toy.table("a", logits)})


def test_nothing_to_join_is_refused(toy: Any) -> None:
    with pytest.raises(InputError, match="no members"):
        toy.join({})


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
