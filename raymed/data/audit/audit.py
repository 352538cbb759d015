"""The check of a manifest before anything is trained: counts, copies, groups, leaks, looks."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from raymed.data.audit.crossed import cross_tables
from raymed.data.audit.findings import find_faults
from raymed.data.audit.hidden import HiddenGroups, find_groups
from raymed.data.audit.pictures.findings import picture_faults
from raymed.data.audit.pictures.judging import judge_pictures, judge_sites
from raymed.data.audit.recovered import group_names
from raymed.data.audit.sentinel import watch_for_leaks
from raymed.data.folds import Folds
from raymed.data.intake.manifest import Manifest

SCHEMA = 3
"""Raise it when an audit of the same samples comes out otherwise."""
_EXAMPLES = 12


def audit(
    manifest: Manifest,
    folds: Folds,
    thumbnails: npt.NDArray[np.uint8],
    hidden: HiddenGroups | None = None,
    seen: pd.DataFrame | None = None,
    *,
    recovered: bool = False,
) -> dict[str, Any]:
    """Check samples, folds and pixels; JSON-ready.

    `thumbnails` is uint8 [samples, side, side] or [samples, side, side, 3]; `hidden` what
    `find_groups` says of them; `seen` how they looked when they were opened (see `appearances`;
    without it nothing is said of that); `recovered` that the manifest's patients are those groups.
    """
    hidden = find_groups(thumbnails) if hidden is None else hidden
    people = manifest.patients if manifest.patients_declared else group_names(hidden)
    facts = {
        "samples": len(manifest.table),
        "patients": manifest.table["patient"].nunique() if manifest.patients_declared else None,
        "patients_declared": manifest.patients_declared,
        "patients_recovered": recovered,
        "classes": _class_counts(manifest),
        "sites": _site_counts(manifest),
        "tables": cross_tables(manifest),
        "class_by_site": judge_sites(manifest, people),
        "duplicates": _duplicates(manifest, hidden),
        "hidden_groups": _hidden_groups(manifest, hidden, recovered),
        "leak_sentinel": watch_for_leaks(manifest, folds, thumbnails, group_names(hidden)),
        "pictures": None if seen is None else judge_pictures(manifest, seen, people),
    }
    faults = find_faults(manifest, folds, facts, recovered=recovered)
    return {**facts, "findings": [*faults, *picture_faults(facts)]}


def _class_counts(manifest: Manifest) -> list[dict[str, Any]]:
    counts = []
    for index, name in enumerate(manifest.classes):
        rows = manifest.table[manifest.table["label"] == index]
        test = rows[rows["split"] == "test"]
        train = rows[rows["split"] != "test"]
        counts.append(
            {
                "name": name,
                "samples": len(train),
                "patients": int(train["patient"].nunique()),
                "test_samples": len(test),
                "test_patients": int(test["patient"].nunique()),
            }
        )
    return counts


def _site_counts(manifest: Manifest) -> list[dict[str, Any]]:
    sites = manifest.table[manifest.table["site"] != ""].groupby("site")
    return [
        {"name": name, "samples": len(rows), "patients": int(rows["patient"].nunique())}
        for name, rows in sites
    ]


def _duplicates(manifest: Manifest, hidden: HiddenGroups) -> dict[str, Any]:
    table = manifest.table
    copies = table[table["checksum"].duplicated(keep=False)]
    groups = [rows for _, rows in copies.groupby("checksum")]

    def torn(column: str) -> int:
        return sum(rows[column].nunique() > 1 for rows in groups)

    again = table.assign(picture=hidden.near).groupby("picture")
    near = [rows for _, rows in again if rows["checksum"].nunique() > 1]
    return {
        "exact": len(groups),
        "near": len(near),
        "across_patients": torn("patient") if manifest.patients_declared else 0,
        "across_splits": torn("split"),
        "contradictory": torn("label"),
        "examples": [rows["sample_id"].tolist()[:5] for rows in groups[:5]],
        "near_examples": [rows["sample_id"].tolist()[:5] for rows in near[:5]],
    }


def _hidden_groups(manifest: Manifest, hidden: HiddenGroups, recovered: bool) -> dict[str, Any]:
    """Say what was found; torn groups are counted where more than copies are torn apart."""
    table = manifest.table.assign(group=group_names(hidden), copy=hidden.copies)
    shown = table.groupby("group")
    mixed = [rows for _, rows in shown if rows["copy"].nunique() > 1]
    known = manifest.patients_declared and not recovered
    largest = sorted(mixed, key=len, reverse=True)[: 4 * _EXAMPLES : 4]
    return {
        "found": hidden.found,
        "people": len(mixed),
        "images": sum(len(rows) for rows in mixed),
        "confidence": hidden.confidence,
        "threshold": hidden.threshold,
        "correlation": hidden.correlation,
        "across_patients": sum(rows["patient"].nunique() > 1 for rows in mixed) if known else 0,
        "across_splits": sum(rows["split"].nunique() > 1 for rows in mixed),
        "histogram": hidden.histogram,
        "examples": [rows["sample_id"].tolist()[:8] for rows in largest],
        "groups": dict(zip(table["sample_id"], table["group"], strict=True)),
    }
