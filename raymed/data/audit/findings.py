"""What the audit objects to: severity, a name to acknowledge it by, what, and a remedy."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from raymed.data.folds import Folds
from raymed.data.intake.manifest import Manifest


class Finding(NamedTuple):
    """`serious` ones stop a build unless `data.acknowledge` names them.

    They end `raymed check` with exit code 1; build, tune, compare and lr-find with 2.
    """

    severity: str
    name: str
    what: str
    remedy: str


def find_faults(
    manifest: Manifest, folds: Folds, facts: Mapping[str, Any], *, recovered: bool
) -> list[dict[str, str]]:
    """Judge the facts of an audit; JSON-ready, the names those of `data.acknowledge`."""
    found = [
        *_about_patients(manifest, facts["hidden_groups"], recovered),
        *_about_classes(manifest, folds, facts["classes"]),
        *_about_duplicates(facts["duplicates"]),
    ]
    return [each._asdict() for each in found]


def _about_patients(
    manifest: Manifest, hidden: Mapping[str, Any], recovered: bool
) -> Iterator[Finding]:
    people = hidden["people"]
    several = f"{people} people stand in several images each"
    if not manifest.patients_declared:
        yield Finding(
            "serious",
            "patients-not-declared",
            "Patients are not declared: leakage was not excluded.",
            "Give data.patients a column, a file or a pattern.",
        )
    if recovered and people:
        yield Finding(
            "warning",
            "patients-recovered",
            f"Patients are recovered from pixels: {several}, {hidden['images']} images "
            f"in all; mean confidence {hidden['confidence']:.3f}.",
            "Look at the proposed groups, and prefer true patient ids where there are any.",
        )
    elif people and not manifest.patients_declared:
        yield Finding(
            "serious",
            "hidden-people",
            f"{several}, {hidden['images']} images in all, though nothing says so: their images "
            "lie in different folds.",
            "Give data.patients the true ids, or `recovered` to take the proposed groups.",
        )
    if hidden["across_patients"]:
        yield Finding(
            "warning",
            "groups-across-patients",
            f"{hidden['across_patients']} groups of images look like one person's, yet belong to "
            "different patients.",
            "Look whether a patient has two ids.",
        )
    if hidden["across_splits"]:
        yield Finding(
            "serious",
            "groups-across-splits",
            f"{hidden['across_splits']} groups of images that look like one person's stand in both "
            "train and test.",
            "Move each to one side.",
        )


def _about_classes(
    manifest: Manifest, folds: Folds, classes: Sequence[Mapping[str, Any]]
) -> Iterator[Finding]:
    unit = "patients" if manifest.patients_declared else "samples"
    for row in classes:
        if row["patients"] < folds.count:
            yield Finding(
                "warning",
                "small-class",
                f"Class {row['name']} has {row['patients']} {unit} for "
                f"{folds.count} folds: some folds hold none of them. Scores are pooled over all "
                "folds, and the class is left out of the macro AUROC.",
                "Collect more, merge classes, or ask for fewer folds.",
            )
    if manifest.is_test.any():
        for row in classes:
            if row["test_samples"] == 0:
                yield Finding(
                    "warning",
                    "class-not-in-test",
                    f"Class {row['name']} has nobody in the test split.",
                    "Enlarge data.test.share or merge classes.",
                )


def _about_duplicates(duplicates: Mapping[str, Any]) -> Iterator[Finding]:
    for key, severity, name, what in (
        (
            "across_patients",
            "serious",
            "copies-across-patients",
            "are shared by different patients",
        ),
        ("across_splits", "serious", "copies-across-splits", "stand in both train and test"),
        ("contradictory", "serious", "contradictory-copies", "carry different labels"),
        ("exact", "note", "copies", "stand more than once"),
    ):
        if duplicates[key]:
            yield Finding(
                severity,
                name,
                f"{duplicates[key]} exactly equal images {what}.",
                "Look at the examples and remove the copies.",
            )
    if duplicates["near"]:
        yield Finding(
            "note",
            "near-copies",
            f"{duplicates['near']} pictures stand more than once, not byte for byte.",
            "Look at the examples and remove the copies.",
        )
