"""Folds that the user brings are taken as they are, or refused."""

import pytest

from raymed.data import assign_folds, list_samples, read_manifest
from raymed.errors import InputError

SIX = ["p1", "p1", "p2", "p2", "p3", "p3"]


def with_folds(manifest_of, declared: list[str], **columns):
    return manifest_of([0, 1] * 3, SIX, declared_fold=declared, **columns)


@pytest.fixture
def declared(toy_data):
    return toy_data(folds={"column": "fold"})


def test_declared_folds_are_taken_as_they_are(manifest_of, declared) -> None:
    manifest = with_folds(manifest_of, ["1", "1", "0", " 0 ", "2", "2"])
    assert assign_folds(manifest, declared, 0).fold.tolist() == [1, 1, 0, 0, 2, 2]


def test_a_patient_torn_by_declared_folds_is_refused_by_name(manifest_of, declared) -> None:
    manifest = with_folds(manifest_of, ["1", "0", "0", "0", "1", "1"])
    with pytest.raises(InputError, match=r"1 patients are in two folds: p1 in folds \[0, 1\]"):
        assign_folds(manifest, declared, 0)


@pytest.mark.parametrize(
    ("folds", "lie"),
    [
        (["0", "0", "2", "2", "2", "2"], r"\[0, 2\]"),
        (["1", "1", "2", "2", "3", "3"], r"\[1, 2, 3\]"),
        (["0", "0", "0", "0", "0", "0"], r"\[0\]"),
    ],
)
def test_a_gap_or_a_single_fold_is_refused(manifest_of, declared, folds, lie: str) -> None:
    with pytest.raises(InputError, match=f"lie in folds {lie}; number them 0, 1"):
        assign_folds(with_folds(manifest_of, folds), declared, 0)


@pytest.mark.parametrize("word", ["a", "1.5", "-1", "99999", "1 2"])
def test_a_fold_that_is_no_number_is_refused(manifest_of, declared, word: str) -> None:
    manifest = with_folds(manifest_of, [word, word, "0", "0", "1", "1"])
    with pytest.raises(InputError, match=f"folds that are no numbers: {word}"):
        assign_folds(manifest, declared, 0)


def test_a_column_of_the_table_gives_the_folds(toy) -> None:
    toy.images("a.png", "b.png", "c.png")
    toy.text("t.csv", "image,label,fold\na.png,x,1\nb.png,y,0\nc.png,x,0\n")
    data = toy.data("t.csv", folds={"column": "fold"})
    assert assign_folds(read_manifest(data), data, 0).fold.tolist() == [1, 0, 0]


def test_another_table_gives_the_folds(scans) -> None:
    ids = list_samples(scans.data()).table["sample_id"]
    rows = [f"{name},{int('p1' in name or 'p3' in name)}" for name in reversed(ids)]
    scans.text("folds.csv", "\n".join(["file,fold", *rows]))
    data = scans.data(
        folds={"file": scans.root / "folds.csv", "column": "fold"}, patients={"pattern": "(p.)_"}
    )
    assert assign_folds(read_manifest(data), data, 0).fold.tolist() == [1, 1, 0, 0, 1, 1, 0, 0]


def test_an_empty_fold_is_refused_in_training_and_needed_nowhere_else(toy) -> None:
    toy.images("a.png", "b.png", "c.png")
    text = "image,label,fold,split\na.png,x,1,train\nb.png,y,0,train\nc.png,x,,{}\n"
    data = toy.data("t.csv", folds={"column": "fold"})
    toy.text("t.csv", text.format("test"))
    assert assign_folds(read_manifest(data), data, 0).fold.tolist() == [1, 0, -1]
    toy.text("t.csv", text.format("train"))
    with pytest.raises(InputError, match=r"'fold'.* is empty for 1 samples: c\.png"):
        list_samples(data)


def test_an_absent_column_of_folds_is_refused(toy) -> None:
    toy.text("t.csv", "image,label,fold\na.png,x,1\nb.png,y,0\n")
    with pytest.raises(InputError, match="has no column 'folds'; did you mean 'fold'"):
        list_samples(toy.data("t.csv", folds={"column": "folds"}))
