"""What `raymed check` says: a verdict a line, then every finding with its remedy."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raymed.cli.display import follow_until_stopped
from raymed.config import Experiment
from raymed.data.audit.pictures.findings import ABOUT_PICTURES, ODD
from raymed.pipeline.checking import check_events, unacknowledged
from raymed.stories import result_of

_COLOURS = {"serious": "red", "warning": "yellow", "note": "dim", "good": "green"}
_SEVERITIES = ("serious", "warning", "note")


def show_check(
    experiment: Experiment, run: Path | str | None, output: Path | None, *, as_json: bool
) -> None:
    """Check the data and print what was found; ends with exit code 1 where a build would stop."""
    console = Console(stderr=as_json)
    events = check_events(experiment, run, output)
    audit = result_of(events) if as_json else follow_until_stopped(events, console)
    if as_json:
        typer.echo(json.dumps(audit, indent=2, ensure_ascii=False))
    else:
        print_audit(audit, experiment.data.acknowledge, console)
    if unacknowledged(audit, experiment.data):
        raise typer.Exit(1)


def print_audit(audit: Mapping[str, Any], acknowledged: tuple[str, ...], console: Console) -> None:
    """Print the table of verdicts, and the findings below."""
    table = Table(title_justify="left")
    for head in ("checked", "found", "verdict"):
        table.add_column(head, overflow="fold")
    for what, found, about in _lines(audit):
        worst = _worst(audit["findings"], about)
        table.add_row(what, escape(found), f"[{_COLOURS[worst]}]{worst}[/]")
    console.print(table)
    for finding in audit["findings"]:
        colour = _COLOURS[finding["severity"]]
        known = " (acknowledged)" if finding["name"] in acknowledged else ""
        console.print(
            f"[{colour}]{finding['severity']}[/] [bold]{finding['name']}[/]{known}: "
            f"{escape(finding['what'])} [dim]{escape(finding['remedy'])}[/]",
            soft_wrap=True,
            highlight=False,
        )


def _worst(findings: list[dict[str, str]], about: tuple[str, ...]) -> str:
    found = {each["severity"] for each in findings if each["name"] in about}
    return next((severity for severity in _SEVERITIES if severity in found), "good")


def _lines(audit: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """Give what was checked, what was found, and the findings that judge it."""
    patients = "not declared" if audit["patients"] is None else f"{audit['patients']}"
    recovered = ", recovered from pixels" if audit["patients_recovered"] else ""
    told = f"{audit['samples']} images; patients: {patients}{recovered}"
    yield "samples", told, ("patients-not-declared", "patients-recovered")
    classes = [f"{each['name']} {each['samples']}" for each in audit["classes"]]
    yield "classes", ", ".join(classes), ("small-class", "class-not-in-test")
    hidden = audit["hidden_groups"]
    told = "no people in several images"
    if hidden["people"]:
        told = (
            f"{hidden['people']} people in {hidden['images']} images, mean confidence "
            f"{hidden['confidence']:.3f}"
        )
    about = ("hidden-people", "groups-across-patients", "groups-across-splits")
    yield "hidden people", told, about
    copies = audit["duplicates"]
    yield (
        "copies",
        f"{copies['exact']} exact, {copies['near']} near; {copies['across_splits']} across "
        f"splits, {copies['across_patients']} across patients, {copies['contradictory']} with "
        "contradictory labels",
        (
            "copies-across-patients",
            "copies-across-splits",
            "contradictory-copies",
            "copies",
            "near-copies",
        ),
    )
    yield from _picture_lines(audit)
    leak = audit["leak_sentinel"]
    if leak is not None:
        torn, whole = leak[leak["torn"]]["accuracy"], leak["patient_grouped"]["accuracy"]
        yield "leak sentinel", f"accuracy {torn:.3f} torn apart, {whole:.3f} grouped", ()


def _picture_lines(audit: Mapping[str, Any]) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    pictures, by_site = audit["pictures"], audit["class_by_site"]
    odd = {**pictures["odd"], "marks": pictures["marks"]}
    told = [f"{odd[way]['images']} {ODD[way]}" for way in odd if odd[way]["images"]]
    yield "pictures", ", ".join(told) or "none is odd", ABOUT_PICTURES
    origin = pictures["told_by_origin"]
    found = "size, kind, colour, bars and marks are alike"
    if origin is not None:
        found = (
            f"balanced accuracy {origin['balanced_accuracy']:.3f} from size, kind, bars and marks; "
            f"{origin['shuffled_labels']['mean']:.3f} with shuffled labels"
        )
    yield "class told by origin", found, ("class-told-by-origin", "bars-by-class")
    if by_site is not None:
        found = f"Cramér's V {by_site['cramers_v']:.2f}, p {by_site['p']:.3f}"
        yield "class by site", found, ("class-follows-site",)
