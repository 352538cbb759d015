"""`raymed init`: a few questions on a terminal, what was found, and the file."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.prompt import Confirm, Prompt

from raymed.cli.checking import print_audit
from raymed.cli.display import BuildDisplay
from raymed.data.intake.patients import patients_in_paths
from raymed.data.proposal import ClassOrder, Proposal
from raymed.errors import InputError
from raymed.pipeline.proposing import (
    Examined,
    Settled,
    Wishes,
    examine,
    propose_events,
    propose_name,
    refuse_existing,
    settle,
    several_images,
    write_configuration,
)


def show_init(
    source: str, output: Path | None, *, name: str | None, yes: bool, force: bool
) -> None:
    """Propose, ask on a terminal unless `yes`, examine, and write the configuration."""
    console = Console()
    if output is not None:
        refuse_existing(output, manifest=False, force=force)
    with BuildDisplay(console) as display:
        proposal = display.follow(propose_events(source))
    asks = not yes and sys.stdin.isatty() and console.is_terminal
    _say(console, f"[bold]{escape(str(proposal.source))}[/]: {escape(proposal.kind)}")
    for note in proposal.notes:
        _say(console, f"[yellow]warning:[/] {escape(note)}")
    name = name or propose_name(proposal.source)
    guess = proposal.patients
    wishes = Wishes(name, proposal.order, None if guess is None else guess.setting)
    if asks:
        wishes = ask(proposal, wishes, console)
    file = output if output is not None else Path(f"{wishes.name}.yaml")
    refuse_existing(file, manifest=proposal.manifest is not None, force=force)
    with BuildDisplay(console) as display:
        examined = display.follow(examine(proposal, wishes))
    recovered = not asks or _take_groups(examined, console)
    with BuildDisplay(console) as display:
        settled = display.follow(settle(examined, recovered=recovered))
    write_configuration(settled, file)
    _summarise(settled, file, console)


def ask(proposal: Proposal, wishes: Wishes, console: Console) -> Wishes:
    """Ask for the name, the classes' order and whose the images are; Enter takes what stands."""
    name = Prompt.ask("name of the experiment", default=wishes.name, console=console)
    order = _ask_order(proposal.order, console)
    guess = proposal.patients
    if guess is not None:
        _say(console, f"patients: {escape(guess.why)}")
        if Confirm.ask("take these for patients?", default=True, console=console):
            return Wishes(name, order, guess.setting)
    return Wishes(name, order, _ask_patients(console))


def _ask_patients(console: Console) -> Mapping[str, str] | None:
    """Ask for a column or a pattern; None where the user knows neither."""
    _say(
        console, "whose are the images? a column's name, or a pattern over each path with one group"
    )
    while True:
        said = Prompt.ask(
            "patients (Enter: look for them in the pixels)", default="", console=console
        )
        if not said.strip():
            return None
        if "(" not in said:
            return {"column": said.strip()}
        try:
            patients_in_paths([], said)
        except InputError as error:
            _say(console, escape(str(error)))
        else:
            return {"pattern": said}


def _ask_order(order: ClassOrder, console: Console) -> ClassOrder:
    """Ask for the order, until numbers name each class once, and whether it is one of stages."""
    for number, name in enumerate(order.classes, 1):
        _say(console, f"  {number}  {escape(name)}")
    usual = " ".join(str(number) for number in range(1, len(order.classes) + 1))
    while True:
        said = Prompt.ask("order of the classes", default=usual, console=console)
        numbers = [int(word) for word in said.replace(",", " ").split() if word.isdecimal()]
        if sorted(numbers) == list(range(1, len(order.classes) + 1)):
            break
        _say(console, f"name each of the {len(order.classes)} numbers once, as in {usual}")
    classes = tuple(order.classes[number - 1] for number in numbers)
    why = order.why if classes == order.classes else "as you said"
    ordinal = len(classes) > 2 and Confirm.ask(
        "are they stages in this order?", default=order.ordinal, console=console
    )
    return replace(order, classes=classes, ordinal=ordinal, why=why)


def _take_groups(examined: Examined, console: Console) -> bool:
    """Ask whether the people whom the pixels show are to be the patients."""
    if not examined.people:
        return True
    _say(console, f"{examined.people} people stand in several images each, though nothing says so")
    return Confirm.ask("take these groups for patients?", default=True, console=console)


def _summarise(settled: Settled, file: Path, console: Console) -> None:
    print_audit(settled.audit, settled.acknowledged, console)
    if settled.data["patients"] == "recovered":
        text = (
            "Nothing tells whose the images are; patients: recovered takes these groups for them."
        )
        _say(console, f"[yellow]warning:[/] {escape(several_images(settled.audit))} {text}")
    if settled.acknowledged:
        names = ", ".join(settled.acknowledged)
        _say(console, f"[yellow]warning:[/] acknowledged, so that it builds: {names}")
    members = next(part for part in settled.parts if part.key == "recipes")
    _say(console, f"members: {', '.join(members.content)}")
    _say(console, f"written: {file}\nnext: raymed build {file}")


def _say(console: Console, text: str) -> None:
    console.print(text, soft_wrap=True, highlight=False)
