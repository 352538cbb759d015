"""`raymed doctor` in the terminal: a line a node, then every finding with its remedy."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

import typer
from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from raymed.cli.submitting import absolute, open_jobs
from raymed.cli.verbs.application import loading
from raymed.cluster.findings import Finding
from raymed.cluster.node_facts import Disk, Machine, NodeFacts
from raymed.config import Experiment, check_address
from raymed.errors import InputError, some
from raymed.files import told_size
from raymed.pipeline.doctor import Examination, Visit, examine, examine_by_job
from raymed.runs import RunFolder

_COLOURS = {"error": "red", "warning": "yellow", "fine": "green"}
_NONE = "–"


def show_visit(visit: Visit, python: str, *, as_json: bool) -> None:
    """Look, and tell; ends with exit code 2 where something stops a build."""
    with loading(f"looking at {visit.address or 'this machine'}"):
        found = _examined(visit, python)
    if as_json:
        typer.echo(json.dumps(found.facts(), indent=2, ensure_ascii=False))
    else:
        print_examination(found, _unseen(visit), Console())
    if found.errors:
        raise typer.Exit(InputError.exit_code)


def visit_of(experiment: Experiment | None, address: str | None, run: str | None) -> Visit:
    """Put together what is looked at: what is given goes before what the configuration says."""
    if address is None and experiment is not None:
        address = experiment.cluster.address
    if _is_web(address):
        run = None if run is None else absolute("--run", run)
        return Visit(address, experiment, None if run is None else RunFolder.at(run))
    if address is not None:
        try:
            check_address(address)
        except ValueError as error:
            raise InputError("--address", str(error)) from None
    if run is None and experiment is not None:
        run = f"runs/{experiment.name}"
    return Visit(address, experiment, None if run is None else RunFolder.at(run))


def _is_web(address: str | None) -> bool:
    return address is not None and address.startswith(("http://", "https://"))


def _examined(visit: Visit, python: str) -> Examination:
    if not _is_web(visit.address):
        return examine(visit)
    return examine_by_job(visit, open_jobs(visit.address), python)


def _unseen(visit: Visit) -> list[str]:
    """Name what was not looked at, for want of a word."""
    data = [] if visit.experiment else ["data not looked at, as no CONFIG is given"]
    run = [] if visit.run else ["run folder not looked at, as no --run is given"]
    return [*data, *run]


def print_examination(found: Examination, unseen: Sequence[str], console: Console) -> None:
    """Print tables of nodes, the findings and a verdict, with what was not looked at."""
    for table in _tables(found.nodes):
        if table.row_count:
            console.print(table)
    for severity, colour in _COLOURS.items():
        for place, each in _gathered(each for each in found.findings if each.severity == severity):
            remedy = f" [dim]{escape(each.remedy)}[/]" if each.remedy else ""
            console.print(
                f"[{colour}]{severity}[/] [bold]{escape(place)}[/]: "
                f"{escape(each.fault)}{'.' * bool(remedy)}{remedy}",
                soft_wrap=True,
                highlight=False,
            )
    verdict = f"{found.where}: {_verdict(found)}{''.join(f'; {each}' for each in unseen)}"
    console.print(escape(verdict), soft_wrap=True, highlight=False)


def _gathered(findings: Iterable[Finding]) -> Iterator[tuple[str, Finding]]:
    """Put together what was found alike at several places."""
    places: dict[Finding, list[str]] = {}
    for each in findings:
        places.setdefault(replace(each, place=""), []).append(each.place)
    for each, found in places.items():
        yield some(list(dict.fromkeys(found))), each


def _verdict(found: Examination) -> str:
    warnings = sum(each.severity == "warning" for each in found.findings)
    if found.errors:
        return f"not ready, errors: {found.errors}"
    return "ready, with warnings" if warnings else "ready"


def _tables(nodes: Sequence[NodeFacts]) -> Iterator[Table]:
    """Make a table of what nodes run, and one of what they have: both fit a narrow terminal."""
    runs = _table("node", "raymed", "Ray", "Python", "torch", "CUDA")
    has = _table("node", "CPUs", "GPUs", "memory free", "disk free", "/dev/shm free", "clock")
    for node in nodes:
        if node.silence is not None:
            runs.add_row(node.node.ip, "silent")
            continue
        names = ("raymed", "ray", "python", "torch")
        versions = [node.versions.get(name) or "none" for name in names]
        runs.add_row(*map(escape, (node.node.ip, *versions, node.cuda or _NONE)))
        room = (_NONE,) * 3 if node.machine is None else _room(node.machine)
        owns = (f"{node.node.cpus:g}", _gpus(node), *room, f"{node.ahead:+.1f} s")
        has.add_row(*map(escape, (node.node.ip, *owns)))
    yield from (runs, has)


def _table(*heads: str) -> Table:
    table = Table(box=SIMPLE, show_edge=False, pad_edge=False)
    for head in heads:
        table.add_column(head, overflow="fold")
    return table


def _gpus(node: NodeFacts) -> str:
    cards = () if node.machine is None else node.machine.cards
    count = f"{node.node.gpus:g} {node.node.kind or ''}".strip()
    if not cards or isinstance(cards, str):
        return count
    names = sorted({f"{card.name}, {told_size(card.total)}" for card in cards})
    return f"{count}: {some(names)}"


def _room(machine: Machine) -> tuple[str, ...]:
    """Tell memory, the fullest disk and /dev/shm, each as what is free."""
    return (
        told_size(machine.memory_free),
        _least(machine.disks),
        _NONE if machine.shared_memory is None else told_size(machine.shared_memory.free),
    )


def _least(disks: Mapping[str, Disk | None]) -> str:
    free = [disk.free for disk in disks.values() if disk is not None]
    return told_size(min(free)) if free else _NONE
