"""Recovered patients make the folds, and a run keeps those that it began with."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from raymed.config import DataConfig, Experiment, parse_experiment
from raymed.data import Manifest
from raymed.data.audit.recovered import recover_patients
from raymed.data.phantom import STAGES, write_phantoms
from raymed.errors import InputError
from raymed.pipeline.checking import Checked, check
from raymed.pipeline.prepare import prepare
from raymed.runs import RunFolder
from raymed.stories import result_of

PEOPLE, SLICES = 40, 6


@pytest.fixture
def experiment(tmp_path: Path) -> Experiment:
    """Slices of forty people whom nothing names."""
    write_phantoms(tmp_path, patients=PEOPLE, slices=SLICES, size=64)
    data = {"source": "manifest.csv", "patients": "recovered", "classes": list(STAGES), "folds": 4}
    recipe = {"model": "test_resnet", "pretrained": "none", "size": 32}
    recipe["phases"] = [{"epochs": 1, "lr": 1e-3}]
    settings = {"name": "toy", "data": data, "recipes": {"cnn": recipe}}
    return parse_experiment(settings, tmp_path, "toy.yaml")


PATIENTS = np.repeat(np.arange(PEOPLE), SLICES)
"""The person of each sample, in the order of their ids."""


def test_folds_keep_every_hidden_person_whole(experiment: Experiment, tmp_path: Path) -> None:
    checked: Checked = result_of(check(experiment, RunFolder(tmp_path / "run")))

    assert checked.manifest.patients_declared
    assert adjusted_rand_score(PATIENTS, checked.manifest.patients) == 1
    for person in range(PEOPLE):
        assert len(set(checked.folds.fold[person == PATIENTS])) == 1


def test_a_run_keeps_the_patients_that_it_recovered(experiment: Experiment, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    first = result_of(prepare(experiment, run))
    kept = first.manifest.table.assign(patient=first.manifest.table["patient"] + " of before")
    replace(first.manifest, table=kept).write(run.manifest_file)

    again = result_of(check(experiment, run))

    assert all(name.endswith(" of before") for name in again.manifest.patients)
    assert again.folds.content == first.folds.content


def test_preparing_again_changes_nothing(experiment: Experiment, tmp_path: Path) -> None:
    run = RunFolder(tmp_path / "run")
    first = result_of(prepare(experiment, run))
    audit = run.audit_file.read_bytes()

    again = result_of(prepare(experiment, run))

    assert again.manifest.content == first.manifest.content
    assert again.manifest.content == Manifest.read(run.manifest_file).content
    assert again.folds.content == first.folds.content
    assert run.audit_file.read_bytes() == audit


def test_serious_findings_stop_before_anything_is_frozen(
    experiment: Experiment, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    unknown = {"patients": {"known": False, "recovered": False}}
    stopped = with_data(experiment, **unknown)
    names = ["patients-not-declared", "hidden-people"]

    with pytest.raises(
        InputError, match=r"acknowledge: \[patients-not-declared, hidden-people\]"
    ) as told:
        result_of(prepare(stopped, run))

    assert "2 serious findings" in told.value.fault
    assert "hidden-people: 40 people stand in several images" in told.value.fault
    assert "Give data.patients the true ids" in told.value.fault  # its remedy
    assert run.audit_file.exists()
    assert run.contact_file.exists()
    assert not run.manifest_file.exists()
    with pytest.raises(InputError, match="1 serious finding of") as told:
        result_of(prepare(with_data(experiment, **unknown, acknowledge=names[:1]), run))
    assert "patients-not-declared:" not in told.value.fault
    known = result_of(prepare(with_data(experiment, **unknown, acknowledge=names), run))
    assert not known.manifest.patients_declared
    run.refuse_other(stopped)  # what is acknowledged makes no other experiment


def with_data(experiment: Experiment, **changes: Any) -> Experiment:
    data = DataConfig(**{**experiment.data.model_dump(), **changes})
    return experiment.model_copy(update={"data": data})


def test_other_images_are_refused_by_a_run_with_recovered_patients(
    experiment: Experiment, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "run")
    result_of(prepare(experiment, run))
    images = sorted((tmp_path / "images").glob("*.png"))
    images[0].write_bytes(images[-1].read_bytes())

    with pytest.raises(InputError, match="are not those of its source any more"):
        result_of(prepare(experiment, run))


def test_a_group_on_both_sides_of_a_test_split_is_two_patients(
    experiment: Experiment, tmp_path: Path
) -> None:
    checked = result_of(check(experiment, RunFolder(tmp_path / "run")))
    table = checked.manifest.table.assign(patient=checked.manifest.table["sample_id"])
    table.loc[::SLICES, "split"] = "test"  # one slice of each

    recovered = recover_patients(replace(checked.manifest, table=table), checked.hidden)

    train = set(recovered.patients[~recovered.is_test])
    test = set(recovered.patients[recovered.is_test])
    assert len(train) == PEOPLE
    assert not train & test
    assert {name.removesuffix("-test") for name in test} == train
