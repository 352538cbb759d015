"""A fold's predictions are written down with whom and what they are of."""

import numpy as np
import pytest

from raymed.data.predictions import SPLIT, logits_of, prediction_schema, prediction_table
from raymed.data.samples import SampleColumns


@pytest.fixture
def samples() -> SampleColumns:
    """Five samples of three patients; the last one is tested."""
    return SampleColumns(
        sample_ids=np.array(["s0", "s1", "s2", "s3", "s4"], dtype=object),
        patients=np.array(["p0", "p0", "p1", "p1", "p2"], dtype=object),
        sites=np.array(["n", "n", "", "", "s"], dtype=object),
        labels=np.array([0, 1, 2, 0, 1]),
        fold=np.array([0, 0, 1, 1, -1], dtype=np.int16),
        classes=3,
    )


def test_rows_of_training_holding_out_and_testing_do_not_meet(samples: SampleColumns) -> None:
    assert samples.training_rows(0).tolist() == [2, 3]
    assert samples.held_out_rows(0).tolist() == [0, 1]
    assert samples.test_rows().tolist() == [4]


def test_each_row_says_whose_it_is_and_what_was_predicted(samples: SampleColumns) -> None:
    rows = np.array([3, 0, 4])
    logits = np.arange(9, dtype=np.float32).reshape(3, 3)
    table = prediction_table(samples, rows, logits, member="3f9a1c", fold=1, seed=7)
    assert table.drop_columns([SPLIT]).schema == prediction_schema(3)
    found = table.to_pylist()
    assert [row["sample_id"] for row in found] == ["s3", "s0", "s4"]
    assert [row["patient"] for row in found] == ["p1", "p0", "p2"]
    assert [row["site"] for row in found] == ["", "n", "s"]
    assert [row["label"] for row in found] == [0, 0, 1]
    assert [row[SPLIT] for row in found] == ["train", "train", "test"]
    assert {(row["member"], row["fold"], row["seed"]) for row in found} == {("3f9a1c", 1, 7)}
    assert found[1]["logits"] == [3.0, 4.0, 5.0]


def test_logits_come_back_bit_for_bit_even_from_a_cut_table(samples: SampleColumns) -> None:
    logits = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    table = prediction_table(samples, np.arange(5), logits, member="m", fold=0, seed=0)
    assert logits_of(table).tobytes() == logits.tobytes()
    assert logits_of(table.slice(2, 2)).tobytes() == logits[2:4].tobytes()
    assert logits_of(table.take([4, 0])).tobytes() == logits[[4, 0]].tobytes()
