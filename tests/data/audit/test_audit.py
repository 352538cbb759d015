"""The audit finds copies, small classes and the leak of image-level folds."""

import json
from typing import Any, get_args

import numpy as np
import pytest

from raymed.config.data import Acknowledged
from raymed.data import HiddenGroups, assign_folds, draw_test_split
from raymed.data.audit.audit import audit
from raymed.data.audit.findings import find_faults
from raymed.data.audit.pictures.findings import ODD, picture_faults
from raymed.data.phantom import STAGES, draw_phantoms

SIDE = 8


@pytest.fixture
def check(manifest_of, toy_data):
    """Audit a toy cohort of noise."""

    def run(labels, patients, folds: int = 2, declared: bool = True, **columns) -> dict[str, Any]:
        manifest = manifest_of(labels, patients, declared=declared, **columns)
        noise = np.random.default_rng(0).integers(0, 255, (len(labels), SIDE, SIDE), dtype=np.uint8)
        return audit(manifest, assign_folds(manifest, toy_data(folds=folds), 0), noise)

    return run


def what(report: dict[str, Any], severity: str | None = None) -> str:
    """Everything that was found, as one text."""
    kinds = [row for row in report["findings"] if severity in (None, row["severity"])]
    return " ".join(row["what"] for row in kinds)


PAIRS = ["p0", "p0", "p1", "p1", "p2", "p2", "p3", "p3"]
LABELS = [0, 0, 1, 1, 0, 0, 1, 1]


def copies(*equal: int) -> list[str]:
    """Checksums of eight samples, of which these are equal."""
    return ["same" if row in equal else f"own {row}" for row in range(8)]


def test_samples_and_patients_are_counted_by_class_and_split(check) -> None:
    splits = ["train"] * 6 + ["test"] * 2
    report = check(LABELS, PAIRS, split=splits, site=["n"] * 4 + [""] * 2 + ["s"] * 2)
    assert (report["samples"], report["patients"]) == (8, 4)
    assert report["classes"] == [
        {"name": "c0", "samples": 4, "patients": 2, "test_samples": 0, "test_patients": 0},
        {"name": "c1", "samples": 2, "patients": 1, "test_samples": 2, "test_patients": 1},
    ]
    assert report["sites"] == [
        {"name": "n", "samples": 4, "patients": 2},
        {"name": "s", "samples": 2, "patients": 1},
    ]


def test_a_clean_set_has_no_findings(check) -> None:
    report = check(LABELS, PAIRS)
    assert report["findings"] == []
    assert report["duplicates"]["exact"] == 0


@pytest.mark.parametrize(
    ("equal", "faults"),
    [
        ((0, 1), {}),
        ((0, 4), {"across_patients": "shared by different patients"}),
        (
            (0, 2),
            {
                "across_patients": "shared by different patients",
                "contradictory": "carry different labels",
            },
        ),
    ],
)
def test_copies_are_told_apart_by_what_they_tear(check, equal, faults) -> None:
    report = check(LABELS, PAIRS, checksum=copies(*equal))
    kinds = ("across_patients", "across_splits", "contradictory")
    assert report["duplicates"]["exact"] == 1
    assert {kind for kind in kinds if report["duplicates"][kind]} == set(faults)
    assert report["duplicates"]["examples"] == [[f"s{row:04}" for row in equal]]
    for sentence in faults.values():
        assert sentence in what(report, "serious")
    assert "stand more than once" in what(report, "note")


def test_copies_in_train_and_test_are_serious(check) -> None:
    splits = ["train"] * 6 + ["test"] * 2
    report = check(LABELS, PAIRS, split=splits, checksum=copies(2, 6))
    assert report["duplicates"]["across_splits"] == 1
    assert "stand in both train and test" in what(report, "serious")


def test_three_copies_are_one_group(check) -> None:
    assert check(LABELS, PAIRS, checksum=copies(0, 1, 4))["duplicates"]["exact"] == 1


def test_copies_between_unknown_patients_are_not_said_to_cross_patients(check) -> None:
    report = check(LABELS, [f"s{row}" for row in range(8)], declared=False, checksum=copies(0, 4))
    assert report["duplicates"]["exact"] == 1
    assert report["duplicates"]["across_patients"] == 0


def test_unknown_patients_are_a_serious_finding(check) -> None:
    report = check(LABELS, [f"s{row}" for row in range(8)], declared=False)
    assert "leakage was not excluded" in what(report, "serious")
    assert report["patients"] is None
    assert report["leak_sentinel"] is None


def test_a_class_with_fewer_patients_than_folds_is_announced(check) -> None:
    labels = [0] * 10 + [1] * 2
    report = check(labels, [f"p{row}" for row in range(12)], folds=5)
    assert "Class c1 has 2 patients for 5 folds" in what(report, "warning")
    assert "Class c0" not in what(report)


def test_a_class_with_nobody_in_the_test_split_is_announced(manifest_of, toy_data) -> None:
    data = toy_data(folds=2, test={"share": 0.2})
    manifest = manifest_of([0] * 10 + [1] * 2, [f"p{row}" for row in range(12)])
    manifest = draw_test_split(manifest, data, 0)
    noise = np.random.default_rng(0).integers(0, 255, (12, SIDE, SIDE), dtype=np.uint8)
    report = audit(manifest, assign_folds(manifest, data, 0), noise)
    assert "Class c1 has nobody in the test split" in what(report, "warning")


def test_one_sample_a_patient_has_no_leak_to_show(check) -> None:
    assert check(LABELS, [f"p{row}" for row in range(8)])["leak_sentinel"] is None


def test_image_level_folds_of_phantoms_leak_and_grouped_ones_do_not(manifest_of, toy_data) -> None:
    phantoms = draw_phantoms(size=32)
    manifest = manifest_of(phantoms.labels.tolist(), phantoms.patients)
    folds = assign_folds(manifest, toy_data(folds=5), 0)
    leak = audit(manifest, folds, phantoms.images)["leak_sentinel"]
    for figure in ("accuracy", "macro_f1"):
        assert leak["image_level"][figure] >= leak["patient_grouped"][figure] + 0.15
    assert leak["patient_grouped"]["accuracy"] <= 2 / len(STAGES)


def test_the_test_split_takes_no_part_in_the_leak(manifest_of, toy_data) -> None:
    manifest = manifest_of(LABELS, PAIRS, split=["train"] * 6 + ["test"] * 2)
    folds = assign_folds(manifest, toy_data(folds=2), 0)
    noise = np.random.default_rng(0).integers(0, 255, (8, SIDE, SIDE), dtype=np.uint8)
    changed = np.where(manifest.is_test[:, None, None], 0, noise).astype(np.uint8)
    before, after = (audit(manifest, folds, images) for images in (noise, changed))
    assert after["leak_sentinel"] == before["leak_sentinel"]


def test_a_report_is_plain_json(check) -> None:
    report = check(LABELS, PAIRS, checksum=copies(0, 2), site="north")
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["leak_sentinel"] is not None


def test_every_serious_finding_can_be_acknowledged(manifest_of, toy_data) -> None:
    manifest = manifest_of(LABELS, [f"s{row}" for row in range(8)], declared=False)
    folds = assign_folds(manifest, toy_data(folds=2), 0)
    hidden = {"people": 3, "images": 8, "confidence": 1.0, "across_patients": 1, "across_splits": 1}
    kinds = ("exact", "near", "across_patients", "across_splits", "contradictory")
    facts = {"hidden_groups": hidden, "classes": [], "duplicates": dict.fromkeys(kinds, 1)}

    pictures = {
        "odd": {way: {"images": 0} for way in ODD if way != "marks"},
        "marks": {"images": 0},
        "associations": [],
        "told_by_origin": {
            "skill": 1.0,
            "p": 0.01,
            "class": "c1",
            "recall": 1.0,
            "false_alarms": 0.0,
            "balanced_accuracy": 1.0,
            "shuffled_labels": {"mean": 0.5},
        },
    }
    told = {"pictures": pictures, "class_by_site": {"cramers_v": 0.9, "p": 0.001}}

    found = [*find_faults(manifest, folds, facts, recovered=False), *picture_faults(told)]

    serious = {each["name"] for each in found if each["severity"] == "serious"}
    assert serious == set(get_args(Acknowledged))


SITES = ["north", "south"]


@pytest.mark.parametrize(
    ("sites", "severity"),
    [
        (lambda row: SITES[row % 2], "serious"),  # a class each
        (lambda row: SITES[row % 2 if row % 3 else 0], "serious"),
        (lambda row: SITES[row // 2 % 2], None),  # half of each class
    ],
)
def test_a_class_that_follows_its_site_is_told(check, sites, severity) -> None:
    labels = [row % 2 for row in range(80)]

    report = check(labels, [f"p{row}" for row in range(80)], site=[sites(row) for row in range(80)])

    found = {each["name"]: each["severity"] for each in report["findings"]}
    assert found.get("class-follows-site") == severity
    assert sum(sum(row["patients"]) for row in report["tables"]["site"]) == 80


def test_sites_are_judged_by_patients_not_by_images(check) -> None:
    """Four patients, two at each site, of 20 images each: images would say p below 1e-20."""
    labels = [0] * 40 + [1] * 40
    people = [f"p{row // 20}" for row in range(80)]

    report = check(labels, people, site=["north"] * 40 + ["south"] * 40)

    assert report["class_by_site"]["p"] == pytest.approx(1 / 3, abs=0.04)  # 2 of 6 orders
    assert "class-follows-site" not in {each["name"] for each in report["findings"]}


def test_classes_are_counted_by_split_site_and_patient(check) -> None:
    splits = ["train"] * 6 + ["test"] * 2
    report = check(LABELS, PAIRS, split=splits, site=["n"] * 4 + [""] * 2 + ["s"] * 2)
    assert report["tables"] == {
        "images_per_patient": [
            {"name": "c0", "least": 2, "median": 2.0, "most": 2},
            {"name": "c1", "least": 2, "median": 2.0, "most": 2},
        ],
        "split": [
            {"name": "test", "samples": [0, 2], "patients": [0, 1]},
            {"name": "train", "samples": [4, 2], "patients": [2, 1]},
        ],
        "site": [
            {"name": "n", "samples": [2, 2], "patients": [1, 1]},
            {"name": "s", "samples": [0, 2], "patients": [0, 1]},
        ],
    }


def test_groups_that_join_patients_and_splits_are_told(manifest_of, toy_data) -> None:
    manifest = manifest_of(LABELS, PAIRS, split=["train"] * 6 + ["test"] * 2)
    rows = np.arange(8)
    group = np.array([0, 0, 0, 3, 4, 4, 4, 7])  # joins p0 with p1, and p2 with p3 of the test
    hidden = HiddenGroups(group=group, copies=rows, near=rows, threshold=3.0, confidence=0.99)
    noise = np.random.default_rng(0).integers(0, 255, (8, SIDE, SIDE), dtype=np.uint8)

    report = audit(manifest, assign_folds(manifest, toy_data(folds=2), 0), noise, hidden)

    found = report["hidden_groups"]
    assert (found["found"], found["people"], found["images"]) == (2, 2, 6)
    assert (found["across_patients"], found["across_splits"]) == (2, 1)
    assert found["groups"]["s0000"] == found["groups"]["s0002"] == "group-0001"
    assert "join" not in what(report, "serious")
    assert "stand in both train and test" in what(report, "serious")
    assert "belong to different patients" in what(report, "warning")


def test_people_in_several_images_inflate_torn_folds_only(manifest_of, toy_data) -> None:
    phantoms = draw_phantoms(60, 4)
    ids = [f"s{row}" for row in range(len(phantoms.labels))]
    manifest = manifest_of(phantoms.labels.tolist(), ids, declared=False)
    report = audit(manifest, assign_folds(manifest, toy_data(folds=5), 0), phantoms.images)

    leak = report["leak_sentinel"]

    assert (leak["torn"], leak["grouped_by"]) == ("configured", "hidden groups")
    assert leak["inflation"]["accuracy"] > 0.15
    assert leak["configured"]["accuracy"] - leak["image_level"]["accuracy"] < 0.15
    shuffled = leak["shuffled_labels"]
    assert shuffled["image_level"]["accuracy"] > shuffled["patient_grouped"]["accuracy"] + 0.2
