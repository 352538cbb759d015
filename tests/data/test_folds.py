"""Folds: grouped by patient, stratified by class, reproducible, frozen."""

from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from raymed.data import Folds, assign_folds, read_manifest
from raymed.data.intake.manifest import Manifest
from raymed.data.samples import SampleColumns
from raymed.errors import InputError

from_hypothesis = settings(max_examples=40, deadline=None)


@st.composite
def cohorts(draw: st.DrawFn) -> tuple[list[int], list[str], list[str], int]:
    """Labels, patients and splits of samples, and a number of folds that can be drawn."""
    count = draw(st.integers(2, 6))
    people = draw(st.integers(count + 1, 24))
    labels, patients, splits = [], [], []
    for person in range(people):
        slices = draw(st.lists(st.integers(0, 2), min_size=1, max_size=6))
        split = draw(st.sampled_from(["train", "train", "train", "test"]))
        labels += slices
        patients += [f"p{person}"] * len(slices)
        splits += [split] * len(slices)
    train = [row for row, split in enumerate(splits) if split == "train"]
    assume(len({patients[row] for row in train}) >= count)
    assume(max(Counter(labels[row] for row in train).values()) >= count)
    return labels, patients, splits, count


def even_cohort(manifest_of, people: int = 40, slices: int = 4) -> Manifest:
    """Half of the patients ill, as many slices of each."""
    of_patient = np.repeat(np.arange(people), slices)
    return manifest_of((of_patient % 2).tolist(), [f"p{person}" for person in of_patient])


@from_hypothesis
@given(cohorts(), st.integers(0, 9))
def test_no_patient_is_in_two_folds(manifest_of, toy_data, cohort, seed: int) -> None:
    labels, patients, splits, count = cohort
    folds = assign_folds(manifest_of(labels, patients, split=splits), toy_data(folds=count), seed)
    of_patient = {}
    for patient, fold in zip(patients, folds.fold.tolist(), strict=True):
        assert of_patient.setdefault(patient, fold) == fold


@from_hypothesis
@given(cohorts(), st.integers(0, 9))
def test_every_training_sample_has_one_fold_and_a_test_sample_none(
    manifest_of, toy_data, cohort, seed: int
) -> None:
    labels, patients, splits, count = cohort
    manifest = manifest_of(labels, patients, split=splits)
    folds = assign_folds(manifest, toy_data(folds=count), seed)
    assert folds.count == count
    assert ((folds.fold == -1) == (np.array(splits) == "test")).all()
    assert set(folds.fold[folds.fold >= 0].tolist()) == set(range(count))
    columns = SampleColumns.of(manifest, folds)
    held_out = np.concatenate([columns.held_out_rows(fold) for fold in range(count)])
    assert sorted([*held_out, *columns.test_rows()]) == list(range(len(labels)))


@from_hypothesis
@given(cohorts())
def test_a_fold_is_learned_from_by_others_patients_only(manifest_of, toy_data, cohort) -> None:
    labels, patients, splits, count = cohort
    manifest = manifest_of(labels, patients, split=splits)
    columns = SampleColumns.of(manifest, assign_folds(manifest, toy_data(folds=count), 0))
    for fold in range(count):
        learned = set(columns.patients[columns.training_rows(fold)])
        assert learned
        assert not learned & set(columns.patients[columns.held_out_rows(fold)])
        assert not learned & set(columns.patients[columns.test_rows()])


def test_the_same_seed_gives_the_same_folds_and_another_seed_others(manifest_of, toy_data) -> None:
    manifest = even_cohort(manifest_of)
    first, again, other = (assign_folds(manifest, toy_data(), seed) for seed in (3, 3, 4))
    assert first.content == again.content
    assert first.fold.tolist() == again.fold.tolist()
    assert first.content != other.content


def test_folds_do_not_depend_on_the_order_of_rows_in_the_source(toy) -> None:
    rows = [f"{name}.png,{'xy'[name % 2]},p{name // 2}" for name in range(24)]
    toy.images(*[f"{name}.png" for name in range(24)])
    toy.text("a.csv", "\n".join(["image,label,who", *rows]))
    shuffled = np.random.default_rng(0).permutation(np.array(rows)).tolist()
    toy.text("b.csv", "\n".join(["image,label,who", *shuffled]))
    configured = [
        toy.data(name, patients={"column": "who"}, folds=3) for name in ("a.csv", "b.csv")
    ]
    first, second = (assign_folds(read_manifest(data), data, 0) for data in configured)
    assert first.content == second.content


@pytest.mark.parametrize("seed", range(5))
def test_each_fold_has_about_the_classes_of_all(manifest_of, toy_data, seed: int) -> None:
    # 60 patients, 40 : 15 : 5 of the classes; a perfect fifth is 8 : 3 : 1.
    classes = [0] * 40 + [1] * 15 + [2] * 5
    labels = [label for label in classes for _ in range(3)]
    manifest = manifest_of(labels, [f"p{row // 3}" for row in range(180)])
    folds = assign_folds(manifest, toy_data(folds=5), seed)
    for fold in range(5):
        counts = np.bincount(manifest.labels[folds.fold == fold], minlength=3) / 3
        assert np.abs(counts - [8, 3, 1]).max() <= 1


def test_fewer_patients_than_folds_are_refused(manifest_of, toy_data) -> None:
    manifest = manifest_of([0, 1] * 6, ["p0", "p0", "p1", "p1", "p2", "p2"] * 2)
    with pytest.raises(InputError, match="5 folds for 3 patients; ask for at most 3"):
        assign_folds(manifest, toy_data(folds=5), 0)


def test_patients_of_the_test_split_do_not_count_for_folds(manifest_of, toy_data) -> None:
    splits = ["train"] * 4 + ["test"] * 4
    manifest = manifest_of([0, 1] * 4, [f"p{row}" for row in range(8)], split=splits)
    with pytest.raises(InputError, match="5 folds for 4 patients"):
        assign_folds(manifest, toy_data(folds=5), 0)


def test_folds_that_no_class_can_fill_are_refused(manifest_of, toy_data) -> None:
    manifest = manifest_of([0, 1, 2, 0, 1, 2], [f"p{row}" for row in range(6)])
    with pytest.raises(InputError, match="5 folds cannot be drawn"):
        assign_folds(manifest, toy_data(folds=5), 0)


def test_written_folds_read_back_the_same(manifest_of, toy_data, tmp_path: Path) -> None:
    splits = ["train"] * 120 + ["test"] * 40
    manifest = even_cohort(manifest_of)
    manifest = manifest_of(manifest.labels.tolist(), manifest.patients.tolist(), split=splits)
    folds = assign_folds(manifest, toy_data(), 0)
    folds.write(tmp_path / "folds.parquet")
    again = Folds.read(tmp_path / "folds.parquet")
    assert (again.sample_ids, again.patients) == (folds.sample_ids, folds.patients)
    assert again.fold.tolist() == folds.fold.tolist()
    assert again.fold.dtype == np.int16


@pytest.mark.parametrize("edited", ["fold", "sample_id", "metadata"])
def test_folds_that_were_edited_are_refused(
    manifest_of, toy_data, tmp_path: Path, edited: str
) -> None:
    path = tmp_path / "folds.parquet"
    assign_folds(even_cohort(manifest_of), toy_data(), 0).write(path)
    table = pq.read_table(path)
    if edited == "metadata":
        table = table.replace_schema_metadata(None)
    else:
        values = table[edited].to_pylist()
        values[0], values[-1] = values[-1], values[0]
        index = table.schema.get_field_index(edited)
        column = pa.array(values, table.schema.field(edited).type)
        table = table.set_column(index, table.schema.field(edited), column)
        assert not table.equals(pq.read_table(path))
    pq.write_table(table, path)
    with pytest.raises(InputError, match="was changed by hand; delete the run folder"):
        Folds.read(path)
