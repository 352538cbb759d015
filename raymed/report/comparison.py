"""The page and the table of `raymed compare`."""

from collections.abc import Mapping
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from raymed.evaluation import Difference, Estimate
from raymed.files import read_json, whole_file, write_text
from raymed.report import verdict
from raymed.report.page import environment
from raymed.runs import RunFolder

COMPARISON_FILES = ("comparison.json", "comparison.csv", "comparison.html")
TECHNIQUES = {
    "sam": "Sharpness-aware minimization",
    "progressive": "Schedule",
    "architecture": "Architecture",
    "ensemble": "Ensemble",
    "evidential": "Evidential learning",
    "prototypical": "Prototypical network",
    "triplet": "Triplet loss",
    "center": "Center loss",
    "mixup": "Mixup",
    "cosine": "Cosine classifier",
    "squeeze_excite": "Squeeze-and-excitation",
    "ordinal": "Order of the classes",
}


def write_comparison(run: RunFolder) -> Path:
    """Write a comparison's CSV and page beside its JSON; returns the page, which opens offline."""
    data, table, page = (run.comparison_folder / name for name in COMPARISON_FILES)
    comparison = read_json(data)
    with whole_file(table) as temporary:
        comparison_table(comparison).to_csv(temporary, index=False)
    write_text(page, _render(comparison))
    return page


def comparison_table(comparison: Mapping[str, Any]) -> pd.DataFrame:
    """Lay a comparison out flat: a row a choice, a column a figure, in full precision.

    Gains are positive where the choice is better than the one that `against` names. Stacks with and
    without a technique come last.
    """
    rows = []
    for row in [*comparison["rows"], *stacks_of(comparison)]:
        told = {key: value for key, value in row.items() if value is not None}
        members = {"members": " ".join(row["members"])} if "members" in row else {}
        rows.append(told | {"verdict": verdict_of(row)} | members)
    return pd.json_normalize(rows, sep="_")


def stacks_of(comparison: Mapping[str, Any]) -> list[dict[str, Any]]:
    """List the stacks without and with each technique; an older comparison has none."""
    found: list[dict[str, Any]] = comparison.get("stacks", [])
    return found


def verdict_of(row: Mapping[str, Any]) -> str:
    """Say in words what a row's gain in log loss comes to; nothing of a row without one."""
    if row["gain"] is None:
        return ""
    stored = row["gain"]["log_loss"]
    return verdict.gain_in_words(gain(stored), stored["p_holm"])


def gain(stored: Mapping[str, Any]) -> Difference:
    """Read a gain back."""
    return Difference(**{key: value for key, value in stored.items() if key != "p_holm"})


def _render(comparison: Mapping[str, Any]) -> str:
    pages = environment()
    pages.globals |= {"Estimate": Estimate, "gain": gain, "verdict_of": verdict_of}
    groups = groupby(comparison["rows"], key=lambda row: str(row["technique"]))
    pairs = groupby(stacks_of(comparison), key=lambda row: str(row["technique"]))
    declared = comparison["patients_declared"]
    return pages.get_template("comparison.html.j2").render(
        comparison=comparison,
        groups=[(TECHNIQUES[technique], list(rows)) for technique, rows in groups],
        stacks=[(TECHNIQUES[technique], list(rows)) for technique, rows in pairs],
        techniques=TECHNIQUES,
        sites=list(dict.fromkeys(site for row in comparison["rows"] for site in row["sites"])),
        noun="patient" if declared else "image",
        one="a patient" if declared else "an image",
        leakage=None if declared else verdict.LEAKAGE_NOT_EXCLUDED,
    )
