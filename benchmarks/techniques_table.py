"""The table of `techniques.py`: what each technique gained, and the stack with it."""

import os
import platform
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import raymed
from raymed.report.comparison import verdict_of

CORES = len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class Found:
    """A comparison of one set, as its JSON has it, members that failed, and seconds it took."""

    comparison: Mapping[str, Any]
    failed: Mapping[str, str]
    seconds: float


def table(found: Mapping[str, Found]) -> str:
    """Write the results as Markdown."""
    lines = [
        f"{datetime.now(UTC):%Y-%m-%d}, raymed {raymed.__version__}, {CORES} cores, "
        f"{platform.machine()}, no GPU.",
        "",
        "Gains in log loss, out of fold, positive where the technique is better; 95 % intervals "
        "from resampling patients (X-rays: images), a patient's rows of all seeds together; p and "
        "verdicts allow for all gains of a set, in log loss and accuracy (Holm). The stack's gain "
        "is what a technique's members add to all the others: both stacks are chosen among mean, "
        "greedy and logistic, and cross-fitted.",
    ]
    for name, each in found.items():
        lines += ["", *_set_lines(name, each)]
    return "\n".join(lines) + "\n"


def _set_lines(name: str, found: Found) -> list[str]:
    about = found.comparison
    people = about["patients"] if about["patients_declared"] else about["samples"]
    noun = "patients" if about["patients_declared"] else "images"
    return [
        f"## {name}",
        "",
        f"{people} {noun}, {about['samples']} images, {about['folds']} folds, seeds "
        f"{', '.join(map(str, about['seeds']))}; {found.seconds / 60:.0f} minutes in all, less "
        "what an earlier call had done.",
        "",
        "| technique | choice | log loss | accuracy | gain in log loss | p | verdict | seconds |",
        "|---|---|---|---|---|---|---|---|",
        *(_row_line(row) for row in about["rows"]),
        "",
        "| technique | log loss, stack without | with | gain of the stack | p | verdict |",
        "|---|---|---|---|---|---|",
        *_stack_lines(about["stacks"]),
        "",
        *(f"Left out: {each['name']}: {each['reason']}." for each in about["left_out"]),
        *(f"Failed: {member}: {why}." for member, why in found.failed.items()),
    ]


def _row_line(row: Mapping[str, Any]) -> str:
    loss, accuracy = (row["oof"][metric]["value"] for metric in ("log_loss", "accuracy"))
    cells = [row["technique"], row["choice"], f"{loss:.3f}", f"{accuracy:.3f}"]
    return _line([*cells, *_gain_cells(row), f"{row['training_seconds']:.0f}"])


def _stack_lines(rows: list[Mapping[str, Any]]) -> Iterator[str]:
    for without, with_it in zip(rows[::2], rows[1::2], strict=True):
        losses = [f"{row['oof']['log_loss']['value']:.3f}" for row in (without, with_it)]
        yield _line([with_it["technique"], *losses, *_gain_cells(with_it)])


def _gain_cells(row: Mapping[str, Any]) -> list[str]:
    """Write a gain with its interval, its adjusted p, and the verdict; nothing of the first."""
    if row["gain"] is None:
        return ["", "", ""]
    gain = row["gain"]["log_loss"]
    shown = f"{gain['value']:+.3f}"
    if gain["low"] is not None:
        shown += f" [{gain['low']:+.3f}, {gain['high']:+.3f}]"
    p = "" if gain["p_holm"] is None else f"{gain['p_holm']:.3f}"
    return [shown, p, verdict_of(row)]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
